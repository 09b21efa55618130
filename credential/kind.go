package credential

// kindNames are the stable names of the kinds, as `status --output json` and the records on disk use them.
var kindNames = map[Kind]string{
	Internal: "internal", Usage: "usage", BadInput: "bad-input", BadHome: "bad-home",
	NotFound: "not-found", NoSignIn: "no-sign-in", NotApproved: "not-approved", SignInDead: "sign-in-dead",
	StepUp: "step-up", Prompting: "prompting",
	Network: "network", Throttled: "throttled", StillRefreshing: "still-refreshing",
	Refused: "refused", Misconfigured: "misconfigured", Untrusted: "untrusted", BadAnswer: "bad-answer", Hostile: "hostile", KeyBound: "key-bound",
	KeychainLocked: "keychain-locked", NoPassphrase: "no-passphrase", KeychainMissing: "keychain-missing", KeychainBroken: "keychain-broken",
}

// Kinds returns every kind, in the order of their declaration.
func Kinds() []Kind {
	out := make([]Kind, 0, len(kindNames))
	for k := Internal; k <= KeychainBroken; k++ {
		out = append(out, k)
	}
	return out
}

// String returns the stable name.
func (k Kind) String() string { return kindNames[k] }

// KindNamed returns the kind that String calls name, and Internal for a name it does not know.
func KindNamed(name string) Kind {
	for k, n := range kindNames {
		if n == name {
			return k
		}
	}
	return Internal
}
