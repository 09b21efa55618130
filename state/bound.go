package state

import "slices"

// Bound reports whether a server has a sign-in whose tokens are bound to a key.
func Bound(b Records, url string) bool {
	s, _ := b.Server(url)
	return slices.ContainsFunc(s.Accounts, func(a Account) bool {
		si, err := b.SignIn(a.SignIn)
		return err == nil && si.Proof
	})
}
