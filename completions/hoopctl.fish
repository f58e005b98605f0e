# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_hoopctl_global_optspecs
    string join \n o/output= quiet no-input profile= h/help V/version
end

function __fish_hoopctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_hoopctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_hoopctl_using_subcommand
    set -l cmd (__fish_hoopctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c hoopctl -n "__fish_hoopctl_needs_command" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_needs_command" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_needs_command" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -s V -l version -d 'Print version'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "login" -d 'Log in at a relay'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "logout" -d 'Forget this profile\'s login, and end it and its sessions at the relay'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "whoami" -d 'Show who you are to the relay: identity, groups, expiry'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "ls" -d 'List the connections that you may use, and what policy will ask of you'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "status" -d 'Show the relay, how it is reached, and how long your login lasts'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "doctor" -d 'Check everything that a login and a connect need; each problem comes with its fix'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "connect" -d 'Open a session on a connection, for a client or for the programs that you start'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "requests" -d 'Show the requests for approval that you made or may decide about'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "approve" -d 'Approve a request, or work through the queue of those that wait for you'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "deny" -d 'Deny a request'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "sessions" -d 'Show recorded sessions: yours, and those that a `replay` permit opens'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "completions" -d 'Print the completions for a shell'
complete -c hoopctl -n "__fish_hoopctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l issuer -d 'The identity provider, by its name at the relay (default: the relay\'s first)' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l ca -d 'Trust a relay whose certificate ends in a CA of this file (PEM)' -r -F
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l pin -d 'Trust the relay that has this key: the SHA-256 that the relay prints at its start' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l token-file -d 'The file that has the workload\'s token' -r -F
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l audience -d 'The audience to ask GitHub Actions for: the one that the relay expects' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l workload -d 'Log in as a workload, with the token of --token-file, $HOOPCTL_ID_TOKEN, $HOOPCTL_ID_TOKEN_FILE, GitHub Actions, GitLab ($HOOP_ID_TOKEN) or Kubernetes (/var/run/secrets/hoop/token), in this order'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand login" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand logout" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand logout" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand logout" -l all -d 'End every login of yours, on whatever machine, and the sessions that they opened'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand logout" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand logout" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand logout" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand whoami" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand whoami" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand whoami" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand whoami" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand whoami" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand ls" -l tag -d 'Only connections that have this tag; given several times, all of them' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand ls" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand ls" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand ls" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand ls" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand status" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand status" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand status" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand status" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand doctor" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand doctor" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand doctor" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand doctor" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand connect" -l reason -d 'Why: policy, approvers and the recording see it' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand connect" -l listen -d 'Listen on a loopback port instead of a socket; clients need the session\'s one-time password. Port 0 takes any' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand connect" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand connect" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand connect" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand connect" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand connect" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -f -a "ls" -d 'List requests, the newest first'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -f -a "show" -d 'Show one request in full: who, why, the whole statement, what it would do, who decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -f -a "wait" -d 'Wait until a request is decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -f -a "cancel" -d 'Withdraw a request of yours'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and not __fish_seen_subcommand_from ls show wait cancel help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -l status -d 'Only requests with this status; given several times, any of them' -r -f -a "pending\t''
approved\t''
denied\t''
expired\t''
cancelled\t''
spent\t''"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -l limit -d 'At most so many' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -l before -d 'Only requests made before this one' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from show" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from show" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from wait" -l wait -d 'How long at most [default: until it expires]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from wait" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from wait" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from wait" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from wait" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from wait" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from cancel" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from cancel" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from cancel" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from cancel" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List requests, the newest first'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show one request in full: who, why, the whole statement, what it would do, who decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "wait" -d 'Wait until a request is decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "cancel" -d 'Withdraw a request of yours'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand requests; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand approve" -l reason -d 'Why; it is kept with the decision' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand approve" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand approve" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand approve" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand approve" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand approve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand deny" -l reason -d 'Why: who asked is told' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand deny" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand deny" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand deny" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand deny" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand deny" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -f -a "ls" -d 'List sessions, the newest first'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -f -a "show" -d 'Show a session and its events'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -f -a "replay" -d 'Show a session as it was: statements, masked results, what was blocked or held and who decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -f -a "verify" -d 'Check that nothing in a session\'s recording is missing or altered'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -f -a "kill" -d 'End a running session: yours, or one that a `kill` permit names'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and not __fish_seen_subcommand_from ls show replay verify kill help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l limit -d 'At most so many' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l before -d 'Only sessions that began before this one' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from ls" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from ls" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from show" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from show" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from show" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l speed -d 'How many times as fast as it was' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from replay" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l skip-idle -d 'Shorten pauses to a second'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from replay" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from verify" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from verify" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from verify" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from verify" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from kill" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from kill" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from kill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List sessions, the newest first'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a session and its events'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "replay" -d 'Show a session as it was: statements, masked results, what was blocked or held and who decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check that nothing in a session\'s recording is missing or altered'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "kill" -d 'End a running session: yours, or one that a `kill` permit names'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand sessions; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand completions" -s o -l output -d 'How to print: data goes to stdout, everything else to stderr' -r -f -a "text\t'For people'
json\t'For scripts: one JSON document on stdout, an error as the last line on stderr'"
complete -c hoopctl -n "__fish_hoopctl_using_subcommand completions" -l profile -d 'The profile: one login at one relay [default: default]' -r
complete -c hoopctl -n "__fish_hoopctl_using_subcommand completions" -l quiet -d 'Say only what is needed'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand completions" -l no-input -d 'Never ask: what would need an answer is an error'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "login" -d 'Log in at a relay'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "logout" -d 'Forget this profile\'s login, and end it and its sessions at the relay'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "whoami" -d 'Show who you are to the relay: identity, groups, expiry'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "ls" -d 'List the connections that you may use, and what policy will ask of you'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "status" -d 'Show the relay, how it is reached, and how long your login lasts'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "doctor" -d 'Check everything that a login and a connect need; each problem comes with its fix'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "connect" -d 'Open a session on a connection, for a client or for the programs that you start'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "requests" -d 'Show the requests for approval that you made or may decide about'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "approve" -d 'Approve a request, or work through the queue of those that wait for you'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "deny" -d 'Deny a request'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "sessions" -d 'Show recorded sessions: yours, and those that a `replay` permit opens'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "completions" -d 'Print the completions for a shell'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and not __fish_seen_subcommand_from login logout whoami ls status doctor connect requests approve deny sessions completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from requests" -f -a "ls" -d 'List requests, the newest first'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from requests" -f -a "show" -d 'Show one request in full: who, why, the whole statement, what it would do, who decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from requests" -f -a "wait" -d 'Wait until a request is decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from requests" -f -a "cancel" -d 'Withdraw a request of yours'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "ls" -d 'List sessions, the newest first'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "show" -d 'Show a session and its events'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "replay" -d 'Show a session as it was: statements, masked results, what was blocked or held and who decided'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "verify" -d 'Check that nothing in a session\'s recording is missing or altered'
complete -c hoopctl -n "__fish_hoopctl_using_subcommand help; and __fish_seen_subcommand_from sessions" -f -a "kill" -d 'End a running session: yours, or one that a `kill` permit names'
