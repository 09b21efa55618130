// Package cache keeps access tokens between processes: sealed in files, with the key that opens them hot in the
// operating system's memory, found through pointers from questions to answers, and guarded by kernel locks. It leaves
// long-lived secrets to cache/keychain, and every decision about a token to helper.
package cache
