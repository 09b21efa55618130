package source

import (
	"bytes"
	"errors"
	"os"

	"github.com/mcp-credential/mcp-credential/credential"
)

// maxFile bounds a file with a secret, a token, a certificate or a key in bytes.
const maxFile = 1 << 20

// ReadFile reads a file that the settings name, without a byte order mark. Errors are of kind Misconfigured and say what the file is for.
func ReadFile(path, what string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxFile) {
		err = errors.New("it is larger than 1 MiB or not a regular file")
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
		data = credential.WithoutBOM(data)
	}
	if err == nil && len(bytes.TrimSpace(data)) == 0 {
		err = errors.New("it is empty")
	}
	if pathErr := (*os.PathError)(nil); errors.As(err, &pathErr) {
		err = pathErr.Err
	}
	if err != nil {
		return nil, credential.Fail(credential.Misconfigured, "the "+what+" "+credential.Printable(path, 300)+" cannot be used", err)
	}
	return data, nil
}
