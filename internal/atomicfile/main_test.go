package atomicfile

import (
	"bytes"
	"os"
	"os/exec"
	"testing"
)

// writerOf names the file that a re-executed test binary writes for ever.
const writerOf = "ATOMICFILE_TEST_WRITE"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerOf); path != "" {
		writeForever(path)
	}
	os.Exit(m.Run())
}

// content is a file's whole content, which one byte tells: every size and every byte follows from it.
func content(n byte) []byte { return bytes.Repeat([]byte{n}, 1000*(1+int(n))) }

func isContent(data []byte) bool { return len(data) > 0 && bytes.Equal(data, content(data[0])) }

func writeForever(path string) {
	for n := byte(0); ; n = (n + 1) % 8 {
		if err := Write(path, content(n)); err != nil {
			os.Exit(1)
		}
		if n == 0 {
			os.Stdout.Write([]byte("."))
		}
	}
}

func startWriter(t *testing.T, path string) (*exec.Cmd, *os.File) {
	t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), writerOf+"="+path)
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.Close()
	return cmd, out
}
