package stdio

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// A bridge runs on one processor; a large message brings back all of them for a while.
func TestProcessors(t *testing.T) {
	every := runtime.GOMAXPROCS(0)
	want := func(n int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != n {
			t.Fatalf("%d processors, want %d", got, n)
		}
	}
	large, end := oneProcessor(time.Hour)
	defer end()
	want(1)
	large()
	large()
	want(every)
	end()
	want(every)

	large, end = oneProcessor(time.Millisecond)
	defer end()
	for range 3 {
		large()
		for deadline := time.Now().Add(10 * time.Second); runtime.GOMAXPROCS(0) != 1; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatal("the processors are not given back")
			}
		}
	}
}

// The reader of a file that blocks keeps its processor while it waits.
func TestProcessorsBesideFile(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	every := runtime.GOMAXPROCS(0)
	large, end := oneProcessor(time.Hour, f)
	defer end()
	if n := runtime.GOMAXPROCS(0); large != nil || n != every {
		t.Errorf("%d processors beside a file, want %d", n, every)
	}
}
