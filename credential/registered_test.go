package credential

import "testing"

func TestCheckRedirect(t *testing.T) {
	for uri, good := range map[string]bool{
		"http://localhost:3118/callback": true, "http://127.0.0.1:1": true, "http://[::1]:65535/a/b/": true, "http://localhost:80/": true,
		"http://localhost/callback": false, "https://localhost:3118/callback": false, "http://localhost:0/": false, "http://localhost:65536/": false,
		"http://localhost:3118/?a=b": false, "http://localhost:3118/?": false, "http://localhost:3118/#x": false, "http://u@localhost:3118/": false,
		"http://localhost.evil.example:3118/": false, "http://10.0.0.1:3118/": false, "http://127.0.0.2:3118/": false, "http://LOCALHOST:3118/": false,
		"http://localhost:03118/": false, "http://localhost:3118/\n": false, "": false, "callback": false,
	} {
		if err := CheckRedirect(uri); (err == nil) != good || err != nil && KindOf(err) != BadInput {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

func TestLocalRedirect(t *testing.T) {
	for uri, want := range map[string]string{
		"": "http://localhost:8/callback", "http://127.0.0.1/": "http://127.0.0.1:8/", "http://127.0.0.1:3118/x": "http://127.0.0.1:8/x", "http://[::1]:1": "http://[::1]:8",
	} {
		if got := LocalRedirect(uri, "8"); got != want {
			t.Errorf("%q: %s", uri, got)
		}
	}
}
