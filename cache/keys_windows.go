package cache

import (
	"errors"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Of wincred.h.
const (
	credTypeGeneric    = 1
	credPersistSession = 1 // until the user logs off; not shared with other logons
	maxBlob            = 5 * 512
)

// credentialW is CREDENTIALW of wincred.h, field by field.
type credentialW struct {
	Flags              uint32
	Type               uint32
	TargetName         *uint16
	Comment            *uint16
	LastWritten        windows.Filetime
	CredentialBlobSize uint32
	CredentialBlob     *byte
	Persist            uint32
	AttributeCount     uint32
	Attributes         uintptr
	TargetAlias        *uint16
	UserName           *uint16
}

func systemKeys(homeID string, now func() time.Time) Keys {
	dll := windows.NewLazySystemDLL("advapi32.dll")
	return &sessionKeys{
		homeID: homeID, now: now,
		read: dll.NewProc("CredReadW"), write: dll.NewProc("CredWriteW"),
		remove: dll.NewProc("CredDeleteW"), free: dll.NewProc("CredFree"),
	}
}

// sessionKeys is the Credential Manager, with items that end with the logon session. It is called directly, because
// every library for it comes with other keychains.
type sessionKeys struct {
	homeID                    string
	now                       func() time.Time
	read, write, remove, free *windows.LazyProc
}

// Get returns ErrMiss whatever the reason: the keychain has the key too. The Credential Manager knows no times, so a
// key whose time has passed is skipped here and stays until it is replaced, dropped or the user logs off.
func (k *sessionKeys) Get(id string) ([]byte, error) {
	e := k.find(id)
	if !e.live(k.now()) {
		return nil, ErrMiss
	}
	return e.key, nil
}

func (k *sessionKeys) find(id string) entry {
	target, err := windows.UTF16PtrFromString(label(k.homeID, id))
	if err != nil {
		return entry{}
	}
	var item *credentialW
	ok, _, _ := k.read.Call(uintptr(unsafe.Pointer(target)), credTypeGeneric, 0, uintptr(unsafe.Pointer(&item)))
	if ok == 0 || item == nil {
		return entry{}
	}
	defer k.free.Call(uintptr(unsafe.Pointer(item)))
	if item.CredentialBlob == nil || item.CredentialBlobSize > maxBlob {
		return entry{}
	}
	return decodeEntry(unsafe.Slice(item.CredentialBlob, item.CredentialBlobSize))
}

func (k *sessionKeys) Put(id string, key []byte, ttl time.Duration) error {
	next, changed := k.find(id).extend(key, k.now(), ttl)
	if !changed {
		return nil
	}
	target, err := windows.UTF16PtrFromString(label(k.homeID, id))
	if err != nil {
		return err
	}
	blob := next.encode()
	item := credentialW{
		Type: credTypeGeneric, TargetName: target, Persist: credPersistSession,
		CredentialBlobSize: uint32(len(blob)), CredentialBlob: &blob[0],
	}
	if ok, _, err := k.write.Call(uintptr(unsafe.Pointer(&item)), 0); ok == 0 {
		return refusal(err)
	}
	return nil
}

func (k *sessionKeys) Drop(id string) error {
	target, err := windows.UTF16PtrFromString(label(k.homeID, id))
	if err != nil {
		return err
	}
	ok, _, err := k.remove.Call(uintptr(unsafe.Pointer(target)), credTypeGeneric, 0)
	if ok == 0 && !errors.Is(err, windows.ERROR_NOT_FOUND) && !errors.Is(refusal(err), ErrNoTier) {
		return err
	}
	return nil
}

func (k *sessionKeys) Tier() string { return "Windows Credential Manager, this logon session" }

// refusal turns what a logon without a credential set (a service, a network logon as of ssh) answers into ErrNoTier.
func refusal(err error) error {
	if errors.Is(err, windows.ERROR_NO_SUCH_LOGON_SESSION) || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		return ErrNoTier
	}
	return err
}
