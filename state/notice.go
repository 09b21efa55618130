package state

import "os"

// Notices are what one process leaves for another, which takes it once.
type Notices struct{ Records }

// Put leaves one sentence for the next get of the sign-in that was asked to tell (--notify).
func (b Notices) Put(signIn, text string) error {
	return b.write(text, "notices", signIn+".json")
}

// Take returns the sentence and removes it; of many callers one gets it. Without one it returns "".
func (b Notices) Take(signIn string) string {
	text, _ := take[string](b, signIn)
	return text
}

// PutFailure leaves how an offered sign-in ended for the process that waits for it.
func (b Notices) PutFailure(name string, f Failure) error {
	return b.write(f, "notices", name+".json")
}

// Failure returns what PutFailure left, and leaves it to whoever takes it.
func (b Notices) Failure(name string) (Failure, bool) {
	var f Failure
	return f, b.read(&f, "notices", name+".json") == nil
}

// TakeFailure returns what PutFailure left and removes it; of many callers one gets it.
func (b Notices) TakeFailure(name string) (Failure, bool) { return take[Failure](b, name) }

// take renames before it reads, so that of many takers one succeeds.
func take[T any](b Notices, name string) (T, bool) {
	var v T
	from, mine := b.Dir.File("notices", name+".json"), name+".taken"
	if os.Rename(from, b.Dir.File("notices", mine)) != nil {
		return v, false
	}
	defer os.Remove(b.Dir.File("notices", mine))
	return v, b.read(&v, "notices", mine) == nil
}
