# Builds the programs into bin\ on Windows, where there is no make. "go test ./..." runs the tests, and
# "go run ./scripts/demo -bin bin" the demo.
$ErrorActionPreference = "Stop"
Set-Location (Join-Path $PSScriptRoot "..")

$version = "dev"
if (Get-Command git -ErrorAction SilentlyContinue) {
    $described = git describe --tags --always --dirty 2>$null
    if ($LASTEXITCODE -eq 0) { $version = $described }
}
$env:CGO_ENABLED = "0"
go build -trimpath -ldflags "-s -w -X github.com/mcp-credential/mcp-credential/cmd/core.Version=$version" -o bin/ ./cmd/...
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }

# git, Docker and Cargo start the helper "mcp" under names of their own. A copy needs no privilege, unlike a symbolic link.
foreach ($caller in "git", "docker", "cargo") { Copy-Item -Force bin/mcp-credential.exe "bin/$caller-credential-mcp.exe" }
Write-Output "built $version in bin"
