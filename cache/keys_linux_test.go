package cache

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/mcp-credential/mcp-credential/internal/testsupport"
)

var keyRoles = map[string]func([]string) error{
	"session": playSession, "get": playGet, "put": playPut, "quota": playQuota, "seccomp": playSeccomp,
}

// playSession runs another role, args[0], in a session keyring that links no user keyring, as after `keyctl session -`.
func playSession(args []string) error {
	runtime.LockOSThread()
	if _, err := unix.KeyctlInt(unix.KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0); err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	env := append([]string{testsupport.RoleVariable(args[0])}, os.Environ()...)
	return syscall.Exec(exe, append([]string{exe}, args[1:]...), env)
}

// playGet prints a key: args are home ID and sign-in.
func playGet(args []string) error {
	key, err := SystemKeys(args[0]).Get(args[1])
	fmt.Printf("%x", key)
	return err
}

// playPut puts a key twice, the second time for longer: args are home ID, sign-in and key.
func playPut(args []string) error {
	keys := SystemKeys(args[0])
	return errors.Join(keys.Put(args[1], []byte(args[2]), time.Minute), keys.Put(args[1], []byte(args[2]), time.Hour))
}

// playQuota replaces one key often, which no quota may stop, and then fills the quota of a user with keys. args[0] is the
// home ID. It prints how the last Put failed.
func playQuota(args []string) error {
	if err := syscall.Setuid(65534); err != nil {
		return err
	}
	keys := SystemKeys(args[0])
	for n := range 1000 {
		if err := keys.Put(signInA, []byte("key"), time.Hour+time.Duration(n)*time.Minute); err != nil {
			return fmt.Errorf("replacement %d: %w", n, err)
		}
	}
	var full, dropped error
	n := 0
	for ; full == nil && n < 10_000; n++ {
		full = keys.Put(fmt.Sprintf("%020x", n), []byte("0123456789abcdef0123456789abcdef"), time.Minute)
	}
	fmt.Print(full)
	for i := range n {
		dropped = errors.Join(dropped, keys.Drop(fmt.Sprintf("%020x", i)))
	}
	return errors.Join(dropped, keys.Drop(signInA))
}

// playSeccomp lives under a filter that refuses the keyring's system calls with EPERM, as Docker's default does.
func playSeccomp([]string) error {
	if err := testsupport.RefuseKeyrings(); err != nil {
		return err
	}
	keys := SystemKeys("0123456789abcdef")
	_, get := keys.Get(signInA)
	fmt.Println(get, "/", keys.Put(signInA, []byte("key"), time.Minute), "/", keys.Drop(signInA), "/", keys.Tier())
	return nil
}

// kernel returns the kernel's keys of a home, empty again after the test.
func kernel(t *testing.T) (homeID string, keys kernelKeys) {
	t.Helper()
	homeID = newDir(t).ID
	keys = kernelKeys{homeID: homeID, now: time.Now}
	if keys.Tier() == noTier {
		testsupport.Missing(t, "a kernel keyring")
	}
	t.Cleanup(func() { _ = keys.Drop(signInA) })
	return homeID, keys
}

func TestKeysReachAFreshSession(t *testing.T) {
	home, keys := kernel(t)
	put(t, keys, signInA, "key", time.Minute)
	if got := output(t, "session", "get", home, signInA); got != hex.EncodeToString([]byte("key")) {
		t.Errorf("got %q", got)
	}
	// What the test proves: a key with the rights that it starts with is out of that session's reach.
	serial, err := unix.AddKey(keyType, label(home, signInB), entry{until: time.Now().Add(time.Minute), key: []byte("key")}.encode(), unix.KEY_SPEC_USER_KEYRING)
	if err != nil {
		t.Fatal(err)
	}
	defer unlink(serial, unix.KEY_SPEC_USER_KEYRING)
	if err := testsupport.Role(t, "session", "get", home, signInB).Run(); err == nil {
		t.Error("the session is not fresh")
	}
}

func TestKeysComeFromAFreshSession(t *testing.T) {
	home, keys := kernel(t)
	output(t, "session", "put", home, signInA, "one")
	found(t, keys, signInA, "one")
	output(t, "session", "put", home, signInA, "two")
	found(t, keys, signInA, "two")
	put(t, keys, signInA, "three", time.Minute)
	if got := output(t, "session", "get", home, signInA); got != hex.EncodeToString([]byte("three")) {
		t.Errorf("got %q", got)
	}
}

func TestKeyRights(t *testing.T) {
	_, keys := kernel(t)
	put(t, keys, signInA, "key", time.Minute)
	serial, _ := keys.find(signInA)
	text, err := unix.KeyctlString(unix.KEYCTL_DESCRIBE, serial)
	if want := fmt.Sprintf("user;%d;%d;3f3f0000;%s", os.Getuid(), os.Getgid(), label(keys.homeID, signInA)); err != nil || text != want {
		t.Errorf("%q, error %v; want %q", text, err, want)
	}
}

// A process that has found a key before it is dropped cannot read it afterwards.
func TestDropRevokes(t *testing.T) {
	_, keys := kernel(t)
	put(t, keys, signInA, "key", time.Minute)
	serial, _ := keys.find(signInA)
	if err := keys.Drop(signInA); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.KeyctlBuffer(unix.KEYCTL_READ, serial, make([]byte, 99), 0); err == nil {
		t.Error("a dropped key can be read")
	}
}

// The kernel forgets a key by itself.
func TestKernelTimeout(t *testing.T) {
	_, keys := kernel(t)
	put(t, keys, signInA, "key", time.Second)
	serial, _ := keys.find(signInA)
	if !until(func() bool {
		_, err := unix.KeyctlBuffer(unix.KEYCTL_READ, serial, make([]byte, 99), 0)
		return err != nil
	}) {
		t.Error("the key is still there")
	}
	missing(t, keys, signInA)
}

func TestFullQuota(t *testing.T) {
	home, _ := kernel(t)
	if os.Getuid() != 0 {
		testsupport.Missing(t, "root: become another user")
	}
	if got := output(t, "quota", home); got != ErrNoTier.Error() {
		t.Errorf("got %q, want %q", got, ErrNoTier)
	}
}

func TestRefusedSystemCalls(t *testing.T) {
	want := strings.Join([]string{ErrMiss.Error(), ErrNoTier.Error(), "<nil>", noTier}, " / ") + "\n"
	if got := output(t, "seccomp"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
