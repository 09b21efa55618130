package credential

import "time"

// Every wait in the product ends; these are the ends, in one place.
const (
	WaitDefault   = 8 * time.Second        // a caller of get waits this long for a refresh or a sign-in (--wait); hosts kill us after 10 s
	StdinSilence  = 2 * time.Second        // stdin that stays silent this long is refused
	KeychainCall  = 4 * time.Second        // one operation of a keychain that may not ask anybody
	KeychainAsk   = 2 * time.Minute        // the same while a person may be asked to unlock it
	KeychainFile  = 20 * time.Second       // the same with the encrypted file, which waits for nobody but for a turn on a busy processor
	LockWait      = 45 * time.Second       // a detached refresh waits this long for the sign-in's lock
	LockSignIn    = 90 * time.Second       // a sign-in that a person has finished waits this long: longer than anybody holds it
	LockShort     = 2 * time.Second        // a caller that waits on its own behalf waits this long
	HTTPConnect   = 5 * time.Second        // dial and TLS handshake
	IMDSConnect   = time.Second            // a connection to the metadata service of a VM, which is not there elsewhere
	HTTPMetadata  = 10 * time.Second       // one metadata document or registration
	HTTPToken     = 30 * time.Second       // one token request: once it is sent, the answer may hold the only copy of a rotated token
	RefreshTotal  = 60 * time.Second       // one refresh under its lock, retries and storing included
	KeepTrying    = 15 * time.Second       // a process with the only copy of a refresh token tries to store it for this long
	SignInTotal   = 10 * time.Minute       // one sign-in, from the first request to the redeemed code
	RepeatRest    = 30 * time.Second       // a host that asks for headers again within this time may have had its token refused
	RepeatCheck   = 2 * time.Second        // the server is asked whether it has, and the token stands where it does not answer
	ReplacedRest  = 10 * time.Second       // so long after a refused access token was replaced, callers that do not name theirs mean the old one
	PromptRest    = 10 * time.Minute       // cooldown between two sign-ins that get offers for the same sign-in
	OfferStart    = 10 * time.Second       // a process that was launched to offer a sign-in counts as doing so this long, before it has said so
	DoctorTotal   = 10 * time.Second       // every check of doctor together
	DoctorStep    = 3 * time.Second        // one program that is asked for its version, or one proxy for a connection
	ForwardLine   = 5 * time.Second        // one line over a forward, from its first byte to its last
	LoopbackGrace = 250 * time.Millisecond // the loopback server lets the browser finish reading the last page

	BridgeStart      = time.Second      // a bridge's host has an answer to its first request in this time (--start-wait)
	BridgeSignIn     = 5 * time.Minute  // a bridge's requests wait this long for a person (--sign-in-wait)
	BridgeRetry      = 20 * time.Second // a bridge's request waits this long for a network or a server that is coming back
	BridgeRetryAfter = time.Minute      // longest Retry-After that a bridge's request waits for
	BridgeHandshake  = 30 * time.Second // one step of a handshake that a bridge repeats by itself
	BridgeResume     = 5 * time.Minute  // an answer that broke off is asked for again this long
	BridgeShutdown   = time.Second      // what a bridge that is ending gives its requests, and the server to end the session
)
