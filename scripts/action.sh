#!/usr/bin/env bash
# action.sh install   installs the release INPUT_VERSION below RUNNER_TEMP and puts it on the PATH of the steps that follow
# action.sh token     gets a token for INPUT_URL, masks it in the log, and gives it to INPUT_RUN alone or to the steps that follow
#
# action.yml calls it; the files and commands are those of GitHub's runner ("Workflow commands for GitHub Actions").
set -euo pipefail

fail() {
	echo "::error::$*"
	exit 1
}

case ${1-} in
install)
	[ -n "${INPUT_VERSION-}" ] || fail 'mcp-credential: name a version'
	sh "$GITHUB_ACTION_PATH/scripts/install.sh" --version "$INPUT_VERSION" --prefix "$RUNNER_TEMP/mcp-credential"
	echo "$RUNNER_TEMP/mcp-credential/bin" >>"$GITHUB_PATH"
	;;
token)
	[[ ${INPUT_NAME-} =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || fail 'mcp-credential: the name of the variable has to be one of letters, digits and _'
	arguments=()
	while IFS= read -r line; do
		[ -z "$line" ] || arguments+=("$line")
	done <<<"${INPUT_ARGUMENTS-}"
	token=$(mcp-credential get --prompt never --output token "${arguments[@]}" "$INPUT_URL")
	[ -n "$token" ] || fail 'mcp-credential: there is no token'
	echo "::add-mask::$token"
	if [ -n "${INPUT_RUN-}" ]; then
		env "$INPUT_NAME=$token" bash -euo pipefail -c "$INPUT_RUN"
	else
		echo "$INPUT_NAME=$token" >>"$GITHUB_ENV"
	fi
	;;
*)
	fail 'action.sh: install or token'
	;;
esac
