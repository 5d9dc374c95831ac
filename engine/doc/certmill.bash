# Bash completion for certmill(1).

_certmill_options() {
    case $1 in
    run)
        echo --accounts --state --ca-file --only --force --events --progress --json --quiet \
            --in-flight --requests-per-second --account-key --io --workers --crypto-threads \
            --crypto --provider --property-query --openssl-config --profile --region --help
        ;;
    plan) echo --accounts --state --only --force --json --profile --region --help ;;
    check) echo --accounts --profile --region --help ;;
    list) echo --accounts --state --only --account --json --profile --region --help ;;
    status) echo --accounts --state --manifest --json --profile --region --help ;;
    accounts)
        echo --accounts --state --ca-file --json --account-key --crypto --provider \
            --property-query --openssl-config --profile --region --help
        ;;
    enroll)
        echo --accounts --state --ca-file --account --domains --name --arn --profile --region \
            --no-import --challenge --key --events --progress --json --quiet --account-key --io \
            --workers --crypto-threads --crypto --provider --property-query --openssl-config --help
        ;;
    renew)
        echo --accounts --state --ca-file --name --arn --events --progress --json --quiet \
            --account-key --io --workers --crypto-threads --crypto --provider --property-query \
            --openssl-config --profile --region --help
        ;;
    revoke)
        echo --accounts --state --ca-file --name --arn --reason --account-key --crypto \
            --provider --property-query --openssl-config --profile --region --help
        ;;
    adopt) echo --accounts --state --only --json --profile --region --help ;;
    aws) echo --accounts --profile --all --json --help ;;
    esac
}

# Fills COMPREPLY with the words of $1 that begin with $2.
_certmill_words() {
    mapfile -t COMPREPLY < <(compgen -W "$1" -- "$2")
}

# Fills COMPREPLY with the files (-f) or folders (-d) that begin with $2.
_certmill_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "$1" -- "$2")
}

_certmill() {
    local current=${COMP_WORDS[COMP_CWORD]}
    local previous=${COMP_WORDS[COMP_CWORD - 1]}
    local commands="run plan check list status accounts enroll renew revoke adopt aws"
    COMPREPLY=()

    if ((COMP_CWORD == 1)); then
        _certmill_words "$commands help --help --version" "$current"
        return
    fi
    local command=${COMP_WORDS[1]}
    if [[ $command == help ]]; then
        ((COMP_CWORD == 2)) && _certmill_words "$commands" "$current"
        return
    fi

    # "--option=value" comes as three words: the option, "=", the value.
    if [[ $current == "=" ]]; then
        current=
    elif [[ $previous == "=" ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    case $previous in
    --accounts | -a | --manifest | -m | --ca-file | --events | --openssl-config)
        _certmill_files -f "$current"
        return
        ;;
    --state | -s)
        _certmill_files -d "$current"
        return
        ;;
    --progress) _certmill_words "auto always never" "$current" && return ;;
    --io) _certmill_words "auto ring sync" "$current" && return ;;
    --crypto) _certmill_words "auto ifma portable openssl" "$current" && return ;;
    --account-key) _certmill_words "ES256 ES384 RS256" "$current" && return ;;
    --challenge) _certmill_words "none http-01 dns-01 tls-alpn-01" "$current" && return ;;
    --key)
        _certmill_words "RSA-2048 RSA-3072 RSA-4096 P-256 P-384 P-521" "$current" && return
        ;;
    --reason)
        _certmill_words "unspecified keyCompromise affiliationChanged superseded \
            cessationOfOperation" "$current" && return
        ;;
    --account | --domains | -d | --name | -n | --arn | --profile | --region | \
        --only | -o | --in-flight | --requests-per-second | --workers | --crypto-threads | \
        --provider | --property-query)
        return
        ;;
    esac

    if [[ $current == -* ]]; then
        _certmill_words "$(_certmill_options "$command")" "$current"
    elif [[ $command == accounts ]] && ((COMP_CWORD == 2)); then
        _certmill_words "list register" "$current"
    elif [[ $command == aws ]] && ((COMP_CWORD == 2)); then
        _certmill_words "whoami policy" "$current"
    elif [[ $command == enroll ]]; then
        return
    elif [[ $command != status ]] || ((COMP_CWORD > 2)); then
        _certmill_files -f "$current"
    fi
}

complete -F _certmill certmill
