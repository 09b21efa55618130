package detach

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/mcp-credential/mcp-credential/credential"
)

// The re-executed test binary plays a role: child reports on itself, parent starts a child and stays.
const (
	roleVariable   = "DETACH_TEST_ROLE"
	reportVariable = "DETACH_TEST_REPORT" // the file that the child writes its report to
	stayVariable   = "DETACH_TEST_STAY"   // the child then waits for this file, removes it and ends
	patience       = 10 * time.Second
)

func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "child":
		child()
	case "parent":
		parent()
	default:
		os.Exit(m.Run())
	}
}

type report struct {
	PID   int
	Args  []string
	Env   []string
	Dir   string
	Null  bool // the three standard streams are the null device
	Leads bool // it leads a session of its own
}

func child() {
	dir, _ := os.Getwd()
	data, _ := json.Marshal(report{PID: os.Getpid(), Args: os.Args[1:], Env: os.Environ(), Dir: dir, Null: nullStreams(), Leads: leads()})
	path := os.Getenv(reportVariable)
	_ = os.WriteFile(path+".new", data, 0o600)
	_ = os.Rename(path+".new", path)
	if stay := os.Getenv(stayVariable); stay != "" {
		until(func() bool { return os.Remove(stay) == nil })
	}
}

func nullStreams() bool {
	for _, file := range []*os.File{os.Stdin, os.Stdout, os.Stderr} {
		info, err := file.Stat()
		if err != nil || info.Mode()&os.ModeDevice == 0 {
			return false
		}
	}
	n, err := os.Stdin.Read(make([]byte, 1))
	return n == 0 && err != nil
}

// until polls and reports whether cond became true before patience ran out.
func until(cond func() bool) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if cond() {
			return true
		}
	}
	return false
}

// started starts a child and returns its report; env comes on top of what the child needs.
func started(t *testing.T, args []string, env ...string) report {
	t.Helper()
	path := filepath.Join(t.TempDir(), "report")
	if err := Start(executable(t), args, append(childEnv(path), env...)); err != nil {
		t.Fatal(err)
	}
	return awaitReport(t, path)
}

func childEnv(report string) []string {
	env := []string{roleVariable + "=child", reportVariable + "=" + report}
	if root := os.Getenv("SYSTEMROOT"); root != "" {
		env = append(env, "SYSTEMROOT="+root)
	}
	return env
}

func awaitReport(t *testing.T, path string) report {
	t.Helper()
	var data []byte
	if !until(func() (ok bool) { data, _ = os.ReadFile(path); return data != nil }) {
		t.Fatal("no report from the child")
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func executable(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

func TestStart(t *testing.T) {
	home := realDir(t)
	r := started(t, []string{"-x", "a b", ""}, homeVariable+"="+home, "EXTRA=1")
	if !slices.Equal(r.Args, []string{"-x", "a b", ""}) {
		t.Errorf("arguments %q", r.Args)
	}
	if !slices.Contains(r.Env, "EXTRA=1") || slices.ContainsFunc(r.Env, func(e string) bool { return len(e) > 5 && e[:5] == "PATH=" }) {
		t.Errorf("environment %q", r.Env)
	}
	if r.Dir != home {
		t.Errorf("directory %q, want %q", r.Dir, home)
	}
	if !r.Leads {
		t.Error("the child does not lead a session")
	}
}

// A child has none of the streams that its parent may speak MCP on.
func TestStreamsJumpstarter383(t *testing.T) {
	if r := started(t, nil); !r.Null {
		t.Error("a standard stream is not the null device")
	}
}

func TestTheLastEntryOfTheEnvironmentCounts(t *testing.T) {
	got := lastWins([]string{"A=1", "B=2", "A=3", "=C:=x", "C="})
	if want := []string{"B=2", "A=3", "C="}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func realDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestWithoutAHomeItRunsInTheRoot(t *testing.T) {
	root := filepath.VolumeName(executable(t)) + string(filepath.Separator)
	for _, home := range []string{"", "relative", filepath.Join(t.TempDir(), "missing"), executable(t)} {
		if r := started(t, nil, homeVariable+"="+home); r.Dir != root {
			t.Errorf("home %q: directory %q", home, r.Dir)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	for _, exe := range []string{"", "sh", "./sh", filepath.Join(t.TempDir(), "missing")} {
		if err := Start(exe, nil, nil); err == nil || credential.KindOf(err) != credential.Internal {
			t.Errorf("%q: %v", exe, err)
		}
	}
}
