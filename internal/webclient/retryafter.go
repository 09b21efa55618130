package webclient

import (
	"net/http"
	"strconv"
	"time"
)

// MaxRetryAfter bounds what a server may ask us to wait.
const MaxRetryAfter = time.Hour

// RetryAfter reads a Retry-After header, seconds or a date (RFC 9110 section 10.2.3), up to MaxRetryAfter. It reports false
// where there is none.
func RetryAfter(value string, now time.Time) (wait time.Duration, ok bool) {
	if n, err := strconv.ParseUint(value, 10, 64); err == nil {
		return time.Duration(min(n, uint64(MaxRetryAfter/time.Second))) * time.Second, true
	}
	at, err := http.ParseTime(value)
	return max(0, min(at.Sub(now), MaxRetryAfter)), err == nil
}
