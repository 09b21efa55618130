package bridge

import (
	"strings"
	"time"
)

// demand is what a server wants of the token in place of the one that it refuses (RFC 6750 section 3). It is what two
// challenges have in common that differ in a trace identifier or the time of day.
type demand struct{ code, scope, claims string }

func demandOf(challenge string) demand {
	params, _ := bearerParams(challenge)
	return demand{code: params["error"], scope: params["scope"], claims: params["claims"]}
}

// asks names the question that Tokens gets: the error code does not change what it answers.
func (d demand) asks() string { return d.scope + "\n" + d.claims }

// bearer picks the WWW-Authenticate value with a Bearer challenge, else the first one. Servers send one for each scheme.
func bearer(values []string) string {
	for _, v := range values {
		if _, ok := bearerParams(v); ok {
			return v
		}
	}
	if len(values) == 0 {
		return ""
	}
	return values[0]
}

// bearerParams reads the first Bearer challenge of a value leniently: whether it can be used is for Tokens to judge.
func bearerParams(value string) (params map[string]string, ok bool) {
	for _, part := range listItems(value) {
		scheme, rest := splitScheme(part)
		switch {
		case scheme != "" && ok:
			return params, true
		case strings.EqualFold(scheme, "Bearer"):
			params, ok, part = map[string]string{}, true, rest
		case scheme != "":
			continue
		}
		if name, text, found := strings.Cut(part, "="); found && ok {
			params[strings.ToLower(strings.TrimSpace(name))] = unquote(strings.TrimSpace(text))
		}
	}
	return params, ok
}

// listItems splits at commas outside of quotes (RFC 9110 section 5.6.1).
func listItems(value string) (items []string) {
	quoted, escaped, start := false, false, 0
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case escaped:
			escaped = false
		case c == '\\':
			escaped = quoted
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			items = append(items, strings.TrimSpace(value[start:i]))
			start = i + 1
		}
	}
	return append(items, strings.TrimSpace(value[start:]))
}

// splitScheme takes the scheme off an item that begins a challenge (RFC 9110 section 11.6.1); other items have none.
func splitScheme(item string) (scheme, rest string) {
	scheme, rest, _ = strings.Cut(item, " ")
	rest = strings.TrimSpace(rest)
	if strings.Contains(scheme, "=") || strings.HasPrefix(rest, "=") {
		return "", item
	}
	return scheme, rest
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return s
	}
	return strings.ReplaceAll(s[1:len(s)-1], `\`, "")
}

// The pauses before a token is replaced again for a demand that the new one has not satisfied, and how many such demands
// there may be: a server must not get around the pauses by asking for something else each time.
const (
	forceRest  = 5 * time.Second
	forceMost  = 5 * time.Minute
	mostTrials = 16
)

// trials are the demands for which a token was replaced and which no request has been seen to meet since.
type trials map[demand]trial

// trial is the pause that the last replacement has earned.
type trial struct {
	pause time.Duration
	until time.Time
}

// rests reports whether no token is to be replaced for d at now.
func (t trials) rests(d demand, now time.Time) bool {
	for other, past := range t {
		if now.Sub(past.until) > forceMost {
			delete(t, other)
		}
	}
	last, known := t[d]
	if !known {
		return len(t) >= mostTrials
	}
	left := last.until.Sub(now)
	return left > 0 && left <= last.pause // else the clock was put back
}

// note remembers that a token was replaced for d.
func (t trials) note(d demand, now time.Time) {
	pause := forceRest
	if last, known := t[d]; known {
		pause = min(2*last.pause, forceMost)
	}
	t[d] = trial{pause: pause, until: now.Add(pause)}
}
