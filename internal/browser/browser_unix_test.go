//go:build unix && !darwin

package browser

import "testing"

func TestSeen(t *testing.T) {
	type env = map[string]string
	for want, all := range map[bool][]env{
		true: {
			{"DISPLAY": ":0"}, {"WAYLAND_DISPLAY": "wayland-0"}, {"BROWSER": "lynx", "SSH_TTY": "/dev/pts/1"},
			{"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "x"},
		},
		false: {{"DISPLAY": ":0", "SSH_CONNECTION": "x"}, {"WAYLAND_DISPLAY": "wayland-0", "SSH_TTY": "x"}, {"SSH_CONNECTION": "x"}},
	} {
		for _, e := range all {
			if got := Seen(func(name string) string { return e[name] }); got != want {
				t.Errorf("%v: %v", e, got)
			}
		}
	}
}
