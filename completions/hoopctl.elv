
use builtin;
use str;

set edit:completion:arg-completer[hoopctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'hoopctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'hoopctl'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand login 'Log in at a relay'
            cand logout 'Forget this profile''s login, and end it and its sessions at the relay'
            cand whoami 'Show who you are to the relay: identity, groups, expiry'
            cand ls 'List the connections that you may use, and what policy will ask of you'
            cand status 'Show the relay, how it is reached, and how long your login lasts'
            cand doctor 'Check everything that a login and a connect need; each problem comes with its fix'
            cand connect 'Open a session on a connection, for a client or for the programs that you start'
            cand requests 'Show the requests for approval that you made or may decide about'
            cand approve 'Approve a request, or work through the queue of those that wait for you'
            cand deny 'Deny a request'
            cand sessions 'Show recorded sessions: yours, and those that a `replay` permit opens'
            cand completions 'Print the completions for a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'hoopctl;login'= {
            cand --issuer 'The identity provider, by its name at the relay (default: the relay''s first)'
            cand --ca 'Trust a relay whose certificate ends in a CA of this file (PEM)'
            cand --pin 'Trust the relay that has this key: the SHA-256 that the relay prints at its start'
            cand --token-file 'The file that has the workload''s token'
            cand --audience 'The audience to ask GitHub Actions for: the one that the relay expects'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --workload 'Log in as a workload, with the token of --token-file, $HOOPCTL_ID_TOKEN, $HOOPCTL_ID_TOKEN_FILE, GitHub Actions, GitLab ($HOOP_ID_TOKEN) or Kubernetes (/var/run/secrets/hoop/token), in this order'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;logout'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --all 'End every login of yours, on whatever machine, and the sessions that they opened'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;whoami'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;ls'= {
            cand --tag 'Only connections that have this tag; given several times, all of them'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;status'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;doctor'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;connect'= {
            cand --reason 'Why: policy, approvers and the recording see it'
            cand --listen 'Listen on a loopback port instead of a socket; clients need the session''s one-time password. Port 0 takes any'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;requests'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand ls 'List requests, the newest first'
            cand show 'Show one request in full: who, why, the whole statement, what it would do, who decided'
            cand wait 'Wait until a request is decided'
            cand cancel 'Withdraw a request of yours'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'hoopctl;requests;ls'= {
            cand --status 'Only requests with this status; given several times, any of them'
            cand --limit 'At most so many'
            cand --before 'Only requests made before this one'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;requests;show'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;requests;wait'= {
            cand --wait 'How long at most [default: until it expires]'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;requests;cancel'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;requests;help'= {
            cand ls 'List requests, the newest first'
            cand show 'Show one request in full: who, why, the whole statement, what it would do, who decided'
            cand wait 'Wait until a request is decided'
            cand cancel 'Withdraw a request of yours'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'hoopctl;requests;help;ls'= {
        }
        &'hoopctl;requests;help;show'= {
        }
        &'hoopctl;requests;help;wait'= {
        }
        &'hoopctl;requests;help;cancel'= {
        }
        &'hoopctl;requests;help;help'= {
        }
        &'hoopctl;approve'= {
            cand --reason 'Why; it is kept with the decision'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;deny'= {
            cand --reason 'Why: who asked is told'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;sessions'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand ls 'List sessions, the newest first'
            cand show 'Show a session and its events'
            cand replay 'Show a session as it was: statements, masked results, what was blocked or held and who decided'
            cand verify 'Check that nothing in a session''s recording is missing or altered'
            cand kill 'End a running session: yours, or one that a `kill` permit names'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'hoopctl;sessions;ls'= {
            cand --limit 'At most so many'
            cand --before 'Only sessions that began before this one'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;sessions;show'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;sessions;replay'= {
            cand --speed 'How many times as fast as it was'
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --skip-idle 'Shorten pauses to a second'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;sessions;verify'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;sessions;kill'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;sessions;help'= {
            cand ls 'List sessions, the newest first'
            cand show 'Show a session and its events'
            cand replay 'Show a session as it was: statements, masked results, what was blocked or held and who decided'
            cand verify 'Check that nothing in a session''s recording is missing or altered'
            cand kill 'End a running session: yours, or one that a `kill` permit names'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'hoopctl;sessions;help;ls'= {
        }
        &'hoopctl;sessions;help;show'= {
        }
        &'hoopctl;sessions;help;replay'= {
        }
        &'hoopctl;sessions;help;verify'= {
        }
        &'hoopctl;sessions;help;kill'= {
        }
        &'hoopctl;sessions;help;help'= {
        }
        &'hoopctl;completions'= {
            cand -o 'How to print: data goes to stdout, everything else to stderr'
            cand --output 'How to print: data goes to stdout, everything else to stderr'
            cand --profile 'The profile: one login at one relay [default: default]'
            cand --quiet 'Say only what is needed'
            cand --no-input 'Never ask: what would need an answer is an error'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'hoopctl;help'= {
            cand login 'Log in at a relay'
            cand logout 'Forget this profile''s login, and end it and its sessions at the relay'
            cand whoami 'Show who you are to the relay: identity, groups, expiry'
            cand ls 'List the connections that you may use, and what policy will ask of you'
            cand status 'Show the relay, how it is reached, and how long your login lasts'
            cand doctor 'Check everything that a login and a connect need; each problem comes with its fix'
            cand connect 'Open a session on a connection, for a client or for the programs that you start'
            cand requests 'Show the requests for approval that you made or may decide about'
            cand approve 'Approve a request, or work through the queue of those that wait for you'
            cand deny 'Deny a request'
            cand sessions 'Show recorded sessions: yours, and those that a `replay` permit opens'
            cand completions 'Print the completions for a shell'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'hoopctl;help;login'= {
        }
        &'hoopctl;help;logout'= {
        }
        &'hoopctl;help;whoami'= {
        }
        &'hoopctl;help;ls'= {
        }
        &'hoopctl;help;status'= {
        }
        &'hoopctl;help;doctor'= {
        }
        &'hoopctl;help;connect'= {
        }
        &'hoopctl;help;requests'= {
            cand ls 'List requests, the newest first'
            cand show 'Show one request in full: who, why, the whole statement, what it would do, who decided'
            cand wait 'Wait until a request is decided'
            cand cancel 'Withdraw a request of yours'
        }
        &'hoopctl;help;requests;ls'= {
        }
        &'hoopctl;help;requests;show'= {
        }
        &'hoopctl;help;requests;wait'= {
        }
        &'hoopctl;help;requests;cancel'= {
        }
        &'hoopctl;help;approve'= {
        }
        &'hoopctl;help;deny'= {
        }
        &'hoopctl;help;sessions'= {
            cand ls 'List sessions, the newest first'
            cand show 'Show a session and its events'
            cand replay 'Show a session as it was: statements, masked results, what was blocked or held and who decided'
            cand verify 'Check that nothing in a session''s recording is missing or altered'
            cand kill 'End a running session: yours, or one that a `kill` permit names'
        }
        &'hoopctl;help;sessions;ls'= {
        }
        &'hoopctl;help;sessions;show'= {
        }
        &'hoopctl;help;sessions;replay'= {
        }
        &'hoopctl;help;sessions;verify'= {
        }
        &'hoopctl;help;sessions;kill'= {
        }
        &'hoopctl;help;completions'= {
        }
        &'hoopctl;help;help'= {
        }
    ]
    $completions[$command]
}
