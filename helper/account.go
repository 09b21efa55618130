package helper

import (
	"context"
	"slices"

	"github.com/mcp-credential/mcp-credential/cache"
	"github.com/mcp-credential/mcp-credential/credential"
	"github.com/mcp-credential/mcp-credential/state"
)

// ChooseAccount makes the account with a label the one that serves callers who name none. It approves nothing: the account has
// to be signed in. Errors are of kind NotFound (an unknown server) and NoSignIn (an unknown label).
func (h *Helper) ChooseAccount(ctx context.Context, url, label string) error {
	return logins{h}.locked(ctx, "servers", credential.LockWait, func() error {
		s, err := records{h}.server(credential.Query{URL: url})
		if err != nil {
			return err
		}
		i := slices.IndexFunc(s.Accounts, func(a state.Account) bool { return a.Label == label })
		if i < 0 {
			return fail(credential.NoSignIn, url, noAccount(s, label))
		}
		chosen := s.Accounts[i]
		s.Accounts = append([]state.Account{chosen}, slices.Delete(slices.Clone(s.Accounts), i, i+1)...)
		if err := h.Records.PutServer(s); err != nil {
			return err
		}
		return h.Cache.Unpoint(func(p cache.Pointer) bool { return p.URL == s.URL })
	})
}
