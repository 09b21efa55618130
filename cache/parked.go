package cache

import (
	"bytes"

	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/internal/atomicfile"
)

// parkedNames are the token names under which a rotated refresh token waits, sealed, until the keychain has it. There are two,
// so that while the keychain takes none, the next one is written beside the last one and not over it.
var parkedNames = [...]string{"00000000000000000000", "00000000000000000001"}

// Parking is where the rotated refresh tokens of a cache are parked. It is called under the sign-in's lock.
type Parking struct{ *Store }

// Parked is a rotated refresh token as it was found, in the form that the caller has given it.
type Parked struct {
	Token credential.Token
	Slot  int // which of the two places it is in
}

// All opens every parked token that is whole and sealed under key, 32 raw bytes: older ones may be among them.
func (s Parking) All(key credential.Secret, signIn string) []Parked {
	var out []Parked
	for slot, id := range parkedNames {
		for _, folder := range []string{tokenFolder, spareFolder} {
			path, err := s.path(folder, signIn, id)
			if err != nil {
				return nil
			}
			data, err := read(path, maxToken)
			if err != nil {
				continue
			}
			if !bytes.HasPrefix(data, []byte(header)) {
				data = atomicfile.PlacedContent(data)
			}
			if t, err := open(key, name{s.dir.ID, signIn, id}, data); err == nil {
				out = append(out, Parked{t, slot})
			}
		}
	}
	return out
}

// DropAll removes what is parked for a sign-in; nothing there is no error.
func (s Parking) DropAll(signIn string) error {
	var first error
	for _, id := range parkedNames {
		if err := s.Drop(signIn, id); err != nil && first == nil {
			first = err
		}
	}
	return first
}

// ParkingRoom is room for one parked token, with its name on the disk before the token is known. It belongs to one goroutine.
type ParkingRoom struct {
	store  *Store
	signIn string
	id     string
	file   *atomicfile.Placed // nil once it is used or released
}

// Take takes room in a slot that holds no parked token that is still needed, in the spare folder where the usual one
// cannot be written to. Whoever reserves calls Release in the end.
func (s Parking) Take(signIn string, slot int) (*ParkingRoom, error) {
	p := &ParkingRoom{store: s.Store, signIn: signIn, id: parkedNames[slot%len(parkedNames)]}
	return p, s.inEither(signIn, p.id, func(path string) (err error) {
		p.file, err = atomicfile.Place(path, reservedSize)
		return err
	})
}

// Put seals a token under key, 32 raw bytes, into the room: one write and one fsync. Where that fails, or the room was used
// before, it does so as Store.Put does.
func (p *ParkingRoom) Put(key credential.Secret, t credential.Token) error {
	if file := p.file; file != nil {
		p.file = nil
		data, err := sealed(key, name{p.store.dir.ID, p.signIn, p.id}, t)
		if err != nil {
			file.Discard()
			return err
		}
		if file.Fill(data) == nil {
			return nil
		}
	}
	return p.store.Put(key, p.signIn, p.id, t)
}

// Release gives the room back where it was not used.
func (p *ParkingRoom) Release() {
	if p.file != nil {
		p.file.Discard()
		p.file = nil
	}
}
