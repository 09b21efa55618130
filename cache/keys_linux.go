package cache

import (
	"errors"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

const (
	keyType   = "user"
	ownerAll  = 0x3f3f0000 // every right for the possessor and the owner, none for group and others
	maxStored = 4096       // bytes that are read of a key
)

func systemKeys(homeID string, now func() time.Time) Keys {
	return kernelKeys{homeID: homeID, now: now}
}

// kernelKeys is the user keyring of the kernel, keyrings(7). It is lost at a reboot, has a quota (200 keys and 20,000
// bytes for each user but the root, unless changed), and may be closed altogether: the default seccomp filter of
// container runtimes refuses its system calls.
type kernelKeys struct {
	homeID string
	now    func() time.Time
}

// Get needs two system calls. Why a key cannot be read makes no difference: the keychain has it too.
func (k kernelKeys) Get(id string) ([]byte, error) {
	_, e := k.find(id)
	if !e.live(k.now()) {
		return nil, ErrMiss
	}
	return e.key, nil
}

// find returns the serial number and content of a key, zero where it cannot be read.
func (k kernelKeys) find(id string) (int, entry) {
	serial, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, keyType, label(k.homeID, id), 0)
	if err != nil {
		return 0, entry{}
	}
	data := make([]byte, maxStored)
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, serial, data, 0)
	if err != nil || n > len(data) {
		return serial, entry{}
	}
	return serial, decodeEntry(data[:n])
}

// Put changes the key that is there in place, because the quota counts a replaced key until the kernel collects it, and
// makes one where there is none.
func (k kernelKeys) Put(id string, key []byte, ttl time.Duration) error {
	serial, old := k.find(id)
	next, changed := old.extend(key, k.now(), ttl)
	if !changed {
		return nil
	}
	seconds := int(next.until.Sub(k.now())/time.Second) + 1
	if len(old.key) > 0 && update(serial, next, seconds) == nil {
		return nil
	}
	return refusal(k.create(id, next, seconds))
}

// update sets the time first: whoever reads meanwhile, or after a crash in between, goes by the end in the content.
func update(serial int, e entry, seconds int) error {
	if err := setTimeout(serial, seconds); err != nil {
		return err
	}
	_, err := unix.KeyctlBuffer(unix.KEYCTL_UPDATE, serial, e.encode(), 0)
	return err
}

// create makes a key and links it into the user keyring once it has its time and its rights. The rights that a key
// starts with keep out a process in another session, and only one that possesses the key may widen them: hence the
// thread keyring, and a thread that stays ours meanwhile.
func (k kernelKeys) create(id string, e entry, seconds int) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	serial, err := unix.AddKey(keyType, label(k.homeID, id), e.encode(), unix.KEY_SPEC_THREAD_KEYRING)
	if err != nil {
		return err
	}
	defer unlink(serial, unix.KEY_SPEC_THREAD_KEYRING)
	if err := setTimeout(serial, seconds); err != nil {
		return err
	}
	if err := unix.KeyctlSetperm(serial, ownerAll); err != nil {
		return err
	}
	_, err = unix.KeyctlInt(unix.KEYCTL_LINK, serial, unix.KEY_SPEC_USER_KEYRING, 0, 0)
	return err
}

func setTimeout(serial, seconds int) error {
	_, err := unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, serial, seconds, 0, 0)
	return err
}

// Drop revokes the key, so that a process that has found it cannot read it any more, and takes it off the keyring.
func (k kernelKeys) Drop(id string) error {
	serial, err := unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, keyType, label(k.homeID, id), 0)
	if err != nil {
		return nil // gone, or never ours to reach
	}
	if _, err := unix.KeyctlInt(unix.KEYCTL_REVOKE, serial, 0, 0, 0); err != nil {
		return refusal(err)
	}
	unlink(serial, unix.KEY_SPEC_USER_KEYRING)
	return nil
}

// Tier asks for the user keyring, which a system that refuses keyrings refuses too.
func (k kernelKeys) Tier() string {
	if _, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_USER_KEYRING, true); err != nil {
		return noTier
	}
	return "kernel keyring"
}

// unlink takes a key off a keyring; a failure leaves a key that nobody looks for until its time has passed.
func unlink(serial, keyring int) {
	_, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, serial, keyring, 0, 0)
}

// refusal turns what a seccomp filter, a missing kernel option or a full quota answers into ErrNoTier.
func refusal(err error) error {
	for _, no := range []unix.Errno{unix.ENOSYS, unix.EPERM, unix.EACCES, unix.EDQUOT} {
		if errors.Is(err, no) {
			return ErrNoTier
		}
	}
	return err
}
