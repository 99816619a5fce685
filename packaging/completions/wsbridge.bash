# SPDX-License-Identifier: MIT
# bash completion for wsbridge(8)
_wsbridge()
{
    local cur prev words cword
    _init_completion || return

    case $prev in
        -c | --config)
            _filedir '@(yaml|yml)'
            return
            ;;
        -w | --web)
            _filedir -d
            return
            ;;
        --index)
            COMPREPLY=($(compgen -W 'index.html vnc.html' -- "$cur"))
            return
            ;;
        --log)
            COMPREPLY=($(compgen -W 'error warn info debug' -- "$cur"))
            return
            ;;
        --origin)
            COMPREPLY=($(compgen -W 'same any https://' -- "$cur"))
            return
            ;;
        --admin)
            COMPREPLY=($(compgen -W 'unix:/run/wsbridge/admin.sock' -- "$cur"))
            __ltrim_colon_completions "$cur"
            return
            ;;
        --reload)
            COMPREPLY=($(compgen -W '--config --admin $(pgrep -x wsbridge)' -- "$cur"))
            return
            ;;
    esac
    if [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W '--web --index --origin --log --inetd --config --check --print --status --json --reload --admin --version
            --help --print-reference --print-schema --print-mdoc' -- "$cur"))
        return
    fi
    COMPREPLY=($(compgen -W '6080 localhost: unix: builtin:echo builtin:discard' -- "$cur"))
    [[ ${COMPREPLY-} == *: ]] && compopt -o nospace
    __ltrim_colon_completions "$cur"
} && complete -F _wsbridge wsbridge
