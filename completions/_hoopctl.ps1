
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'hoopctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'hoopctl'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'hoopctl' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in at a relay')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Forget this profile''s login, and end it and its sessions at the relay')
            [CompletionResult]::new('whoami', 'whoami', [CompletionResultType]::ParameterValue, 'Show who you are to the relay: identity, groups, expiry')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the connections that you may use, and what policy will ask of you')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the relay, how it is reached, and how long your login lasts')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check everything that a login and a connect need; each problem comes with its fix')
            [CompletionResult]::new('connect', 'connect', [CompletionResultType]::ParameterValue, 'Open a session on a connection, for a client or for the programs that you start')
            [CompletionResult]::new('requests', 'requests', [CompletionResultType]::ParameterValue, 'Show the requests for approval that you made or may decide about')
            [CompletionResult]::new('approve', 'approve', [CompletionResultType]::ParameterValue, 'Approve a request, or work through the queue of those that wait for you')
            [CompletionResult]::new('deny', 'deny', [CompletionResultType]::ParameterValue, 'Deny a request')
            [CompletionResult]::new('sessions', 'sessions', [CompletionResultType]::ParameterValue, 'Show recorded sessions: yours, and those that a `replay` permit opens')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'hoopctl;login' {
            [CompletionResult]::new('--issuer', '--issuer', [CompletionResultType]::ParameterName, 'The identity provider, by its name at the relay (default: the relay''s first)')
            [CompletionResult]::new('--ca', '--ca', [CompletionResultType]::ParameterName, 'Trust a relay whose certificate ends in a CA of this file (PEM)')
            [CompletionResult]::new('--pin', '--pin', [CompletionResultType]::ParameterName, 'Trust the relay that has this key: the SHA-256 that the relay prints at its start')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'The file that has the workload''s token')
            [CompletionResult]::new('--audience', '--audience', [CompletionResultType]::ParameterName, 'The audience to ask GitHub Actions for: the one that the relay expects')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--workload', '--workload', [CompletionResultType]::ParameterName, 'Log in as a workload, with the token of --token-file, $HOOPCTL_ID_TOKEN, $HOOPCTL_ID_TOKEN_FILE, GitHub Actions, GitLab ($HOOP_ID_TOKEN) or Kubernetes (/var/run/secrets/hoop/token), in this order')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;logout' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--all', '--all', [CompletionResultType]::ParameterName, 'End every login of yours, on whatever machine, and the sessions that they opened')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;whoami' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;ls' {
            [CompletionResult]::new('--tag', '--tag', [CompletionResultType]::ParameterName, 'Only connections that have this tag; given several times, all of them')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;status' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;doctor' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;connect' {
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why: policy, approvers and the recording see it')
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen on a loopback port instead of a socket; clients need the session''s one-time password. Port 0 takes any')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;requests' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List requests, the newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one request in full: who, why, the whole statement, what it would do, who decided')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a request is decided')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Withdraw a request of yours')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'hoopctl;requests;ls' {
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Only requests with this status; given several times, any of them')
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many')
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Only requests made before this one')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;requests;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;requests;wait' {
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'How long at most [default: until it expires]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;requests;cancel' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;requests;help' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List requests, the newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one request in full: who, why, the whole statement, what it would do, who decided')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a request is decided')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Withdraw a request of yours')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'hoopctl;requests;help;ls' {
            break
        }
        'hoopctl;requests;help;show' {
            break
        }
        'hoopctl;requests;help;wait' {
            break
        }
        'hoopctl;requests;help;cancel' {
            break
        }
        'hoopctl;requests;help;help' {
            break
        }
        'hoopctl;approve' {
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why; it is kept with the decision')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;deny' {
            [CompletionResult]::new('--reason', '--reason', [CompletionResultType]::ParameterName, 'Why: who asked is told')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;sessions' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List sessions, the newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a session and its events')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Show a session as it was: statements, masked results, what was blocked or held and who decided')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check that nothing in a session''s recording is missing or altered')
            [CompletionResult]::new('kill', 'kill', [CompletionResultType]::ParameterValue, 'End a running session: yours, or one that a `kill` permit names')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'hoopctl;sessions;ls' {
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'At most so many')
            [CompletionResult]::new('--before', '--before', [CompletionResultType]::ParameterName, 'Only sessions that began before this one')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;sessions;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;sessions;replay' {
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'How many times as fast as it was')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--skip-idle', '--skip-idle', [CompletionResultType]::ParameterName, 'Shorten pauses to a second')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;sessions;verify' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;sessions;kill' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;sessions;help' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List sessions, the newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a session and its events')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Show a session as it was: statements, masked results, what was blocked or held and who decided')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check that nothing in a session''s recording is missing or altered')
            [CompletionResult]::new('kill', 'kill', [CompletionResultType]::ParameterValue, 'End a running session: yours, or one that a `kill` permit names')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'hoopctl;sessions;help;ls' {
            break
        }
        'hoopctl;sessions;help;show' {
            break
        }
        'hoopctl;sessions;help;replay' {
            break
        }
        'hoopctl;sessions;help;verify' {
            break
        }
        'hoopctl;sessions;help;kill' {
            break
        }
        'hoopctl;sessions;help;help' {
            break
        }
        'hoopctl;completions' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How to print: data goes to stdout, everything else to stderr')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'The profile: one login at one relay [default: default]')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say only what is needed')
            [CompletionResult]::new('--no-input', '--no-input', [CompletionResultType]::ParameterName, 'Never ask: what would need an answer is an error')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'hoopctl;help' {
            [CompletionResult]::new('login', 'login', [CompletionResultType]::ParameterValue, 'Log in at a relay')
            [CompletionResult]::new('logout', 'logout', [CompletionResultType]::ParameterValue, 'Forget this profile''s login, and end it and its sessions at the relay')
            [CompletionResult]::new('whoami', 'whoami', [CompletionResultType]::ParameterValue, 'Show who you are to the relay: identity, groups, expiry')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the connections that you may use, and what policy will ask of you')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the relay, how it is reached, and how long your login lasts')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check everything that a login and a connect need; each problem comes with its fix')
            [CompletionResult]::new('connect', 'connect', [CompletionResultType]::ParameterValue, 'Open a session on a connection, for a client or for the programs that you start')
            [CompletionResult]::new('requests', 'requests', [CompletionResultType]::ParameterValue, 'Show the requests for approval that you made or may decide about')
            [CompletionResult]::new('approve', 'approve', [CompletionResultType]::ParameterValue, 'Approve a request, or work through the queue of those that wait for you')
            [CompletionResult]::new('deny', 'deny', [CompletionResultType]::ParameterValue, 'Deny a request')
            [CompletionResult]::new('sessions', 'sessions', [CompletionResultType]::ParameterValue, 'Show recorded sessions: yours, and those that a `replay` permit opens')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print the completions for a shell')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'hoopctl;help;login' {
            break
        }
        'hoopctl;help;logout' {
            break
        }
        'hoopctl;help;whoami' {
            break
        }
        'hoopctl;help;ls' {
            break
        }
        'hoopctl;help;status' {
            break
        }
        'hoopctl;help;doctor' {
            break
        }
        'hoopctl;help;connect' {
            break
        }
        'hoopctl;help;requests' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List requests, the newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show one request in full: who, why, the whole statement, what it would do, who decided')
            [CompletionResult]::new('wait', 'wait', [CompletionResultType]::ParameterValue, 'Wait until a request is decided')
            [CompletionResult]::new('cancel', 'cancel', [CompletionResultType]::ParameterValue, 'Withdraw a request of yours')
            break
        }
        'hoopctl;help;requests;ls' {
            break
        }
        'hoopctl;help;requests;show' {
            break
        }
        'hoopctl;help;requests;wait' {
            break
        }
        'hoopctl;help;requests;cancel' {
            break
        }
        'hoopctl;help;approve' {
            break
        }
        'hoopctl;help;deny' {
            break
        }
        'hoopctl;help;sessions' {
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List sessions, the newest first')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a session and its events')
            [CompletionResult]::new('replay', 'replay', [CompletionResultType]::ParameterValue, 'Show a session as it was: statements, masked results, what was blocked or held and who decided')
            [CompletionResult]::new('verify', 'verify', [CompletionResultType]::ParameterValue, 'Check that nothing in a session''s recording is missing or altered')
            [CompletionResult]::new('kill', 'kill', [CompletionResultType]::ParameterValue, 'End a running session: yours, or one that a `kill` permit names')
            break
        }
        'hoopctl;help;sessions;ls' {
            break
        }
        'hoopctl;help;sessions;show' {
            break
        }
        'hoopctl;help;sessions;replay' {
            break
        }
        'hoopctl;help;sessions;verify' {
            break
        }
        'hoopctl;help;sessions;kill' {
            break
        }
        'hoopctl;help;completions' {
            break
        }
        'hoopctl;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
