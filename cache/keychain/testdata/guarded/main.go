// Command guarded links the keychains and says when it has reached main, and what its environment is then.
package main

import (
	"fmt"
	"os"

	"github.com/mcp-credential/mcp-credential/cache/keychain"
	"github.com/mcp-credential/mcp-credential/internal/busguard"
)

func main() {
	busguard.Restore()
	fmt.Println(len(keychain.Names()), os.Getenv("DBUS_SESSION_BUS_ADDRESS"), busguard.Address())
}
