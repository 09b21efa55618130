package doctor

import (
	"fmt"
	"net/url"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// milliseconds says how long something took.
func milliseconds(d time.Duration) string {
	if d < 10*time.Millisecond {
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%d ms", d.Milliseconds())
}

// span says about how long something is.
func span(d time.Duration) string {
	d = d.Abs()
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 90*time.Minute:
		return fmt.Sprintf("%d h", (d+30*time.Minute)/time.Hour)
	case d >= 90*time.Second:
		return fmt.Sprintf("%d min", (d+30*time.Second)/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// shown is a URL without its query, where some servers want a key.
func shown(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(an unreadable URL)"
	}
	if u.RawQuery != "" {
		u.RawQuery = "..."
	}
	u.User = nil
	return credential.Printable(u.String(), 200)
}
