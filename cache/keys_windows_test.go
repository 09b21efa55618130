//go:build amd64 || arm64

package cache

import (
	"testing"
	"unsafe"
)

// The layout of CREDENTIALW on 64-bit Windows, as the headers of the Windows SDK give it.
func TestCredentialLayout(t *testing.T) {
	var c credentialW
	for what, pair := range map[string][2]uintptr{
		"size":               {unsafe.Sizeof(c), 80},
		"Type":               {unsafe.Offsetof(c.Type), 4},
		"TargetName":         {unsafe.Offsetof(c.TargetName), 8},
		"Comment":            {unsafe.Offsetof(c.Comment), 16},
		"LastWritten":        {unsafe.Offsetof(c.LastWritten), 24},
		"CredentialBlobSize": {unsafe.Offsetof(c.CredentialBlobSize), 32},
		"CredentialBlob":     {unsafe.Offsetof(c.CredentialBlob), 40},
		"Persist":            {unsafe.Offsetof(c.Persist), 48},
		"AttributeCount":     {unsafe.Offsetof(c.AttributeCount), 52},
		"Attributes":         {unsafe.Offsetof(c.Attributes), 56},
		"TargetAlias":        {unsafe.Offsetof(c.TargetAlias), 64},
		"UserName":           {unsafe.Offsetof(c.UserName), 72},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: %d, want %d", what, pair[0], pair[1])
		}
	}
}

// The same for the compiler, so that a build for Windows on another system fails too.
var (
	_ [80]byte = [unsafe.Sizeof(credentialW{})]byte{}
	_ [40]byte = [unsafe.Offsetof(credentialW{}.CredentialBlob)]byte{}
	_ [72]byte = [unsafe.Offsetof(credentialW{}.UserName)]byte{}
)
