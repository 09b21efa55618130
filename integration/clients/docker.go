package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
)

// docker: docker get|erase REGISTRY, docker store REGISTRY USER SECRET and docker list call docker-credential-mcp as Docker does, and print
// its answer as JSON.
func docker(_ context.Context, args []string) error {
	program := client.NewShellProgramFunc("docker-credential-mcp")
	print := json.NewEncoder(os.Stdout).Encode
	switch {
	case len(args) == 2 && args[0] == "get":
		found, err := client.Get(program, args[1])
		if credentials.IsErrCredentialsNotFound(err) {
			return print("not found")
		}
		if err != nil {
			return err
		}
		return print(found)
	case len(args) == 2 && args[0] == "erase":
		return client.Erase(program, args[1])
	case len(args) == 4 && args[0] == "store":
		return client.Store(program, &credentials.Credentials{ServerURL: args[1], Username: args[2], Secret: args[3]})
	case len(args) == 1 && args[0] == "list":
		all, err := client.List(program)
		if err != nil {
			return err
		}
		return print(all)
	}
	return errors.New("usage: docker get|erase REGISTRY, docker store REGISTRY USER SECRET, docker list")
}
