package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// kubernetes: kubernetes KUBECONFIG N PATH makes N requests to the API server of that file, with one client, and prints what each one brings:
// the status and the body.
func kubernetes(ctx context.Context, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: kubernetes KUBECONFIG N PATH")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", args[0])
	if err != nil {
		return err
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		return err
	}
	for range n {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, config.Host+args[2], nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil {
			return err
		}
		fmt.Println(resp.StatusCode, string(body))
	}
	return nil
}
