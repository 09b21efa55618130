package call

import "strings"

// named are the variables that say as whom a process may speak: service principals as Azure's tools name them, and the
// service connection of Azure Pipelines.
var named = []string{
	"AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_AUTHORITY_HOST",
	"AZURESUBSCRIPTION_TENANT_ID", "AZURESUBSCRIPTION_CLIENT_ID", "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID",
}

// present are those that say the same by being there; their values change with every start of a machine.
var present = []string{"IDENTITY_ENDPOINT", "MSI_ENDPOINT"}

// Principal says what the environment tells about a machine identity, and "" where it tells nothing. It is part of a
// question to the cache, so that another service principal never gets this one's token. It leaves out how a principal
// proves itself: hosts take AZURE_CLIENT_SECRET and the like out of a helper's environment and leave AZURE_CLIENT_ID in
// it, and both speak of the same one, whose cached token serves both.
func Principal(getenv func(string) string) string {
	var out strings.Builder
	for _, name := range named {
		if value := getenv(name); value != "" {
			out.WriteString(name + "=" + value + "\n")
		}
	}
	for _, name := range present {
		if getenv(name) != "" {
			out.WriteString(name + "\n")
		}
	}
	return out.String()
}
