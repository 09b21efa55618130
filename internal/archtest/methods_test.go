package archtest

import (
	"strings"
	"testing"
)

// mostMethods is how many methods a type has at most: one with more takes decisions that belong to several.
const mostMethods = 20

func TestTypesHaveFewMethods(t *testing.T) {
	count := map[string]int{}
	for _, f := range sources(t, false) {
		for _, fn := range f.functions() {
			if name := receiver(fn); name != "" && !strings.HasPrefix(f.dir, "internal/fakeworld") { // a server of the tests is one server
				count[f.dir+"."+name]++
			}
		}
	}
	if len(count) == 0 {
		t.Fatal("no method was found")
	}
	for name, n := range count {
		if n > mostMethods {
			t.Errorf("%s has %d methods, more than %d", name, n, mostMethods)
		}
	}
}
