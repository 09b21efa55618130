package core

import (
	"bytes"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/mcp-credential/mcp-credential/credential"
)

// fixed are the headers that the bridge itself sets, or net/http.
var fixed = map[string]bool{
	"Accept": true, "Content-Type": true, "Content-Length": true, "Transfer-Encoding": true, "Connection": true, "Host": true,
	"Mcp-Session-Id": true, "Mcp-Protocol-Version": true, "Mcp-Method": true, "Mcp-Name": true, "Last-Event-Id": true,
}

// addConfigured adds the headers of the configuration that --header has not set.
func addConfigured(headers http.Header, configured map[string]string) error {
	for name, value := range configured {
		name = http.CanonicalHeaderKey(name)
		if fixed[name] {
			return credential.Fail(credential.BadInput, "headers in config.toml cannot set "+name, nil)
		}
		if headers[name] == nil {
			headers.Set(name, value)
		}
	}
	return nil
}

// readHeaders reads what --header says. Values may be secrets, so that no error repeats one.
func readHeaders(flags []string) (http.Header, error) {
	headers := http.Header{}
	for _, flag := range flags {
		path, isFile := strings.CutPrefix(flag, "@")
		var err error
		if isFile {
			err = addHeaderFile(headers, path)
		} else if wrong := addHeader(headers, flag); wrong != "" {
			err = credential.Fail(credential.Usage, "--header "+wrong, nil)
		}
		if err != nil {
			return nil, err
		}
	}
	return headers, nil
}

// addHeaderFile adds the headers of a file, one on each line. Empty lines mean nothing.
func addHeaderFile(headers http.Header, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return credential.Fail(credential.BadInput, "the header file cannot be read", err)
	}
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) || bytes.IndexByte(data, 0) >= 0 {
		return credential.Fail(credential.BadInput, "the header file "+path+" is not UTF-8 text; save it as UTF-8", nil)
	}
	text := string(credential.WithoutBOM(data))
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.Trim(line, " \t") == "" {
			continue
		}
		if wrong := addHeader(headers, line); wrong != "" {
			return credential.Fail(credential.BadInput, "line "+strconv.Itoa(i+1)+" of the header file "+path+" "+wrong, nil)
		}
	}
	return nil
}

// addHeader adds one header, or returns what is wrong with the line, to be read after what holds it.
func addHeader(headers http.Header, line string) (wrong string) {
	name, value, found := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	control := strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f })
	if !found || name == "" || strings.ContainsFunc(name, notInName) || control {
		return "must be \"Name: value\""
	}
	if name = http.CanonicalHeaderKey(name); fixed[name] {
		return "cannot set " + name
	}
	headers.Add(name, value)
	return ""
}

// notInName reports whether r may not stand in a header name (RFC 9110 section 5.6.2).
func notInName(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"(),/:;<=>?@[\\]{}", r)
}
