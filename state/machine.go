package state

// Machine is a machine identity at one server: which process asks there without a person, and what happened last. There is
// no refresh token behind it; of SignIn it uses the ID, the endpoints and what is about attempts.
type Machine struct {
	SignIn
	Kind   string   `json:"identity"` // secret, certificate, workload, ...
	Server string   `json:"server"`   // canonical URL
	Scopes []string `json:"scopes"`
	Token  string   `json:"token"`          // credential.TokenID
	Place  string   `json:"place"`          // where the data key is, as helper writes it
	Salt   []byte   `json:"salt,omitempty"` // of a derived data key
}

// Machine returns the record of a machine identity at a server, or ErrNone.
func (b Records) Machine(id string) (Machine, error) {
	var m Machine
	err := b.read(&m, "machines", id+".json")
	return m, err
}

// PutMachine replaces the record of m.ID.
func (b Records) PutMachine(m Machine) error { return b.write(m, "machines", m.ID+".json") }

// DropMachine forgets the record; an unknown one is no error.
func (b Records) DropMachine(id string) error { return b.remove("machines", id+".json") }

// Machines returns every record, in the order of their identifiers. Unreadable ones are left out and named in the error.
func (b Records) Machines() ([]Machine, error) { return readAll[Machine](b, "machines") }
