package stdio

import (
	"os"
	"runtime"
	"sync"
	"time"
)

// largeBusy is what the handling of a large message takes at most, from its last megabyte on: one of 64 MiB, the most that
// the bridge takes, is checked and copied in a tenth of this.
const largeBusy = 5 * time.Second

// processors has the runtime use one processor while messages are small: handing one from thread to thread, of which a
// call has a dozen steps, costs more than handling it. A large one would then hold up all others, and brings back every
// processor for a while.
type processors struct {
	busy time.Duration

	mu   sync.Mutex
	less *time.Timer // ends that while; nil: there is one processor
}

// OneProcessor begins with one processor, and returns what to call for a large message and what at the end. Whoever waits
// for a file that blocks keeps the processor until the runtime notices: beside such a file nothing is changed, and large is
// nil.
func OneProcessor(files ...*os.File) (large, end func()) { return oneProcessor(largeBusy, files...) }

func oneProcessor(busy time.Duration, files ...*os.File) (large, end func()) {
	for _, f := range files {
		if f.SetDeadline(time.Time{}) != nil {
			return nil, func() {}
		}
	}
	p := &processors{busy: busy}
	p.one()
	return p.all, p.end
}

// all brings back every processor for a while. Any goroutine may call it.
func (p *processors) all() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.less != nil {
		p.less.Reset(p.busy)
		return
	}
	runtime.SetDefaultGOMAXPROCS()
	p.less = time.AfterFunc(p.busy, p.one)
}

func (p *processors) one() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.less = nil
	runtime.GOMAXPROCS(1)
}

func (p *processors) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.less != nil {
		p.less.Stop()
	}
	runtime.SetDefaultGOMAXPROCS()
}
