//go:build integration && linux

package integration

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// call is one call of the program as the history has it.
type call struct {
	verb   string // of the command line
	client string // whose sign-in is meant: that a login makes, or that a token of a get comes from; empty: not known
	code   int
	aside  bool // it is not written down
}

// String says it for a history that does not add up.
func (c call) String() string { return fmt.Sprintf("%s %s: exit %d", c.verb, c.client, c.code) }

// tells reports whether the call says anything of the sign-in or changes it.
func (c call) tells() bool {
	return !c.aside && (c.verb == "login" || c.verb == "logout" || c.verb == "get" && c.code != 4)
}

// oneSignIn is what callers may take a server's sign-in for: a register with the client that is signed in, empty for nobody.
// Each call takes effect at one moment between its start and its end. A get that ends with 4 has seen nothing, a login or
// logout that ends so may have taken effect or not.
func oneSignIn() porcupine.Model {
	return porcupine.Model{
		Init: func() any { return "" },
		Step: func(state, input, _ any) (bool, any) {
			now, c := state.(string), input.(call)
			switch {
			case c.verb == "get" && c.code == 0:
				return now != "" && (c.client == "" || c.client == now), now
			case c.verb == "get" && c.code == 3:
				return now == "", now
			case c.verb == "login" && c.code == 0:
				return true, c.client
			case c.verb == "logout" && c.code == 0:
				return true, ""
			}
			return true, now
		},
		DescribeOperation: func(input, _ any) string { return input.(call).String() },
	}
}

// history records calls, by any number of goroutines at once.
type history struct {
	began time.Time
	mu    sync.Mutex
	ops   []porcupine.Operation
}

// record has a call take place and writes down when; what has to be asked about it afterwards takes none of its time.
func (h *history) record(worker int, do func() call, ask func(*call)) call {
	from := time.Since(h.began)
	c := do()
	to := time.Since(h.began)
	ask(&c)
	if !c.tells() {
		return c
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, porcupine.Operation{ClientId: worker, Input: c, Call: from.Nanoseconds(), Return: to.Nanoseconds()})
	return c
}

// historyPatience is how long the search for an order may take.
const historyPatience = time.Minute

// check wants an order of the calls that the model allows.
func (h *history) check(t *testing.T) {
	t.Helper()
	began := time.Now()
	all := len(h.ops)
	h.ops = telling(h.ops)
	result := porcupine.CheckOperationsTimeout(oneSignIn(), h.ops, historyPatience)
	t.Logf("a history of %d calls, %d of which tell something: %s, found in %v", all, len(h.ops), result, time.Since(began).Round(time.Millisecond))
	if result != porcupine.Ok {
		t.Errorf("no order of the %d calls is right: %s", len(h.ops), result)
		h.explain(t)
	}
}

// telling returns the calls in the order of their starts, without the gets that take their whole time around another one with
// the same answer: they may take effect at the same moment. The search for an order takes exponential time in what is left
// at once.
func telling(ops []porcupine.Operation) []porcupine.Operation {
	slices.SortFunc(ops, func(a, b porcupine.Operation) int {
		return cmp.Or(cmp.Compare(a.Call, b.Call), cmp.Compare(b.Return, a.Return))
	})
	var out []porcupine.Operation
	for i, op := range ops {
		told := op.Input.(call).verb == "get" && slices.ContainsFunc(ops[i+1:], func(in porcupine.Operation) bool {
			return in.Return <= op.Return && says(in.Input.(call), op.Input.(call))
		})
		if !told {
			out = append(out, op)
		}
	}
	return out
}

// says reports whether a get tells all that another one tells.
func says(in, op call) bool {
	return in.verb == "get" && in.code == op.code && (op.client == "" || op.client == in.client)
}

// explain prints the end of the shortest beginning of the history that has no order.
func (h *history) explain(t *testing.T) {
	t.Helper()
	n := sort.Search(len(h.ops), func(n int) bool {
		return porcupine.CheckOperationsTimeout(oneSignIn(), h.ops[:n], time.Second) != porcupine.Ok
	})
	for _, op := range h.ops[max(0, n-60):n] {
		t.Logf("%9.3f to %9.3f ms, worker %d: %s", float64(op.Call)/1e6, float64(op.Return)/1e6, op.ClientId, op.Input)
	}
}

// The model tells a right history from wrong ones.
func TestOneSignInModel(t *testing.T) {
	op := func(from, to int64, c call) porcupine.Operation {
		return porcupine.Operation{ClientId: int(from), Input: c, Call: from, Return: to}
	}
	login, logout := call{verb: "login", client: "a"}, call{verb: "logout"}
	for name, c := range map[string]struct {
		ops  []porcupine.Operation
		want bool
	}{
		"a token of the sign-in":             {[]porcupine.Operation{op(0, 1, login), op(2, 3, call{verb: "get", client: "a", code: 0})}, true},
		"a token of another one":             {[]porcupine.Operation{op(0, 1, login), op(2, 3, call{verb: "get", client: "b", code: 0})}, false},
		"a token after a logout":             {[]porcupine.Operation{op(0, 1, login), op(2, 3, logout), op(4, 5, call{verb: "get", client: "a", code: 0})}, false},
		"a token beside a logout":            {[]porcupine.Operation{op(0, 1, login), op(2, 5, logout), op(4, 6, call{verb: "get", client: "a", code: 0})}, true},
		"nobody there although signed in":    {[]porcupine.Operation{op(0, 1, login), op(2, 3, call{verb: "get", client: "", code: 3})}, false},
		"later, whoever is there":            {[]porcupine.Operation{op(0, 1, login), op(2, 3, call{verb: "get", client: "", code: 4})}, true},
		"nobody there, then a token again":   {[]porcupine.Operation{op(0, 1, login), op(2, 9, logout), op(3, 4, call{verb: "get", client: "", code: 3}), op(5, 6, call{verb: "get", client: "a", code: 0})}, false},
		"nobody there beside a second login": {[]porcupine.Operation{op(0, 1, login), op(2, 9, call{verb: "login", client: "b", code: 0}), op(3, 4, call{verb: "get", client: "", code: 3})}, false},
	} {
		if got := porcupine.CheckOperations(oneSignIn(), c.ops); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
