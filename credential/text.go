package credential

import "bytes"

// WithoutBOM returns the text of a file without the UTF-8 byte order mark that Windows PowerShell 5.1 and editors on Windows
// put before it.
func WithoutBOM(text []byte) []byte { return bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")) }
