// Package archtest holds the source text to the design: who may import whom, what the front links, where secrets are
// revealed, and the habits that a compiler does not check. It has tests only, and leaves what the code does to theirs.
package archtest
