package core

import (
	"testing"

	"github.com/mcp-credential/mcp-credential/helper"
)

// The account is the one that is there, or the one that the person chooses.
func TestAccountOfAProposal(t *testing.T) {
	for want, q := range map[string]helper.Proposal{
		"(the one you choose in the browser)": {},
		"work":                                {Account: "work"},
		"(the one that is signed in)":         {SignedIn: true},
		"(ann@example.com)":                   {SignedIn: true, User: "ann@example.com"},
		"work (ann@example.com)":              {SignedIn: true, User: "ann@example.com", Account: "work"},
	} {
		if got := (&person{}).account(q); got != want {
			t.Errorf("%+v: %s, want %s", q, got, want)
		}
	}
}
