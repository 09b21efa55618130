package credential

import "time"

// Shared is a sign-in in a store that several machines use (helper.Fleet). To the store its parts are bytes.
type Shared struct {
	ID      string
	Servers []string  // URLs of the servers that it serves
	Grant   []byte    // the secret half, as a keychain has it
	Record  []byte    // the public half: what other machines need to know of it; empty: nothing yet
	Tokens  []byte    // its access tokens; empty: none
	Expiry  time.Time // of the newest of them; zero: unknown
}
