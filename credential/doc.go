// Package credential holds the nouns that every other package speaks: the server URL, the query, the token, the grant
// behind it, the secret that cannot be printed, and the kinds of error. It does no input, output or waiting, and
// imports the standard library only.
package credential
