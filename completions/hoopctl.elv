
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
        &'hoopctl;help;completions'= {
        }
        &'hoopctl;help;help'= {
        }
    ]
    $completions[$command]
}
