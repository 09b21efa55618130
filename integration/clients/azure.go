package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
)

// azure: azure SCOPE asks the program az for a token, as every tool with AzureCLICredential does, and prints it with its expiry in
// seconds since 1970.
func azure(ctx context.Context, args []string) error {
	if len(args) != 1 {
		return errors.New("usage: azure SCOPE")
	}
	credential, err := azidentity.NewAzureCLICredential(nil)
	if err != nil {
		return err
	}
	token, err := credential.GetToken(ctx, policy.TokenRequestOptions{Scopes: args})
	if err != nil {
		return err
	}
	fmt.Println(token.Token, token.ExpiresOn.Unix())
	return nil
}
