<#
.SYNOPSIS
Installs mcp-credential for this user, without an administrator. Windows PowerShell 5.1 and PowerShell 7.

.EXAMPLE
irm https://github.com/mcp-credential/mcp-credential/releases/latest/download/install.ps1 | iex

.EXAMPLE
.\install.ps1 -Version 1.2.3
.\install.ps1 -Uninstall     # sign-ins stay: mcp-credential logout --all ends those
#>
param(
    [string]$Version = '',
    [string]$Directory = '',
    [switch]$Uninstall
)
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # Invoke-WebRequest of Windows PowerShell is slow with it

function Say([string]$Text) { Write-Host "install.ps1: $Text" }

$releases = $env:MCP_CREDENTIAL_RELEASES
if (-not $releases) { $releases = 'https://github.com/mcp-credential/mcp-credential/releases' }
if ($releases -notmatch '^(https://|http://(127\.0\.0\.1|localhost):)') { throw "releases come by https alone, not from $releases" }
if (-not $Directory) { $Directory = Join-Path $env:LOCALAPPDATA 'Programs\mcp-credential' }
$programs = 'mcp-credential-core.exe', 'mcp-credential.exe', 'git-credential-mcp.exe', 'docker-credential-mcp.exe', 'cargo-credential-mcp.exe'

if ($Uninstall) {
    foreach ($name in $programs + ($programs | ForEach-Object { "$_.old" }) + 'mcp-credential.ps1') {
        $file = Join-Path $Directory $name
        if (Test-Path -LiteralPath $file) { Remove-Item -LiteralPath $file -Force }
    }
    if ((Test-Path -LiteralPath $Directory) -and -not (Get-ChildItem -LiteralPath $Directory)) { Remove-Item -LiteralPath $Directory }
    Say "removed from $Directory; sign-ins and settings stay in $(Join-Path $env:USERPROFILE '.mcp-credential')"
    return
}

$Version = $Version -replace '^v', ''
if ($Version -match '[^0-9A-Za-z.+~-]') { throw "$Version is no version" }
$machine = $env:PROCESSOR_ARCHITEW6432 # of the system, where this PowerShell is a 32-bit one
if (-not $machine) { $machine = $env:PROCESSOR_ARCHITECTURE }
switch ($machine) {
    'AMD64' { $arch = 'amd64' }
    'ARM64' { $arch = 'arm64' }
    default { throw "there is no release for $machine" }
}

# Windows PowerShell on older systems begins with TLS 1.0.
[Net.ServicePointManager]::SecurityProtocol = [Net.ServicePointManager]::SecurityProtocol -bor [Net.SecurityProtocolType]::Tls12
$place = "$releases/latest/download"
if ($Version) { $place = "$releases/download/v$Version" }

$work = Join-Path ([IO.Path]::GetTempPath()) ([IO.Path]::GetRandomFileName())
New-Item -ItemType Directory -Path $work | Out-Null
try {
    $sums = Join-Path $work 'checksums.txt'
    Invoke-WebRequest -UseBasicParsing -Uri "$place/checksums.txt" -OutFile $sums
    $line = Get-Content -LiteralPath $sums | Where-Object { $_ -match "^([0-9a-f]{64})\s+\*?([^/\\\s]+_windows_$arch\.zip)$" } | Select-Object -First 1
    if (-not $line) { throw "the release at $place has nothing for Windows on $arch" }
    $want, $name = $line -split '\s+\*?', 2
    $archive = Join-Path $work $name
    Invoke-WebRequest -UseBasicParsing -Uri "$place/$name" -OutFile $archive
    $got = (Get-FileHash -Algorithm SHA256 -LiteralPath $archive).Hash.ToLowerInvariant()
    if ($got -ne $want) { throw "$name is not what the release lists: its SHA-256 is $got, not $want; nothing was installed" }
    $out = Join-Path $work 'out'
    Expand-Archive -LiteralPath $archive -DestinationPath $out
    $from = (Get-ChildItem -LiteralPath $out -Recurse -Filter 'mcp-credential.exe' | Select-Object -First 1).DirectoryName
    if (-not $from) { throw "$name holds no mcp-credential.exe" }
    New-Item -ItemType Directory -Force -Path $Directory | Out-Null
    foreach ($program in $programs) {
        $to = Join-Path $Directory $program
        if (Test-Path -LiteralPath "$to.old") { Remove-Item -LiteralPath "$to.old" -Force -ErrorAction SilentlyContinue }
        if (Test-Path -LiteralPath $to) { Move-Item -LiteralPath $to -Destination "$to.old" -Force } # one that runs can be renamed, not replaced
        Copy-Item -LiteralPath (Join-Path $from $program) -Destination $to
    }
    Copy-Item -LiteralPath (Join-Path $from 'completions\mcp-credential.ps1') -Destination $Directory -Force
}
finally {
    Remove-Item -LiteralPath $work -Recurse -Force
}

Say "installed $(& (Join-Path $Directory 'mcp-credential.exe') --version) in $Directory"
if (($env:Path -split ';') -notcontains $Directory) {
    Say 'add it to PATH, for this user and for this window:'
    Write-Host "  [Environment]::SetEnvironmentVariable('Path', [Environment]::GetEnvironmentVariable('Path', 'User') + ';$Directory', 'User')"
    Write-Host "  `$env:Path += ';$Directory'"
}
Say 'next: mcp-credential setup, then mcp-credential login URL'
