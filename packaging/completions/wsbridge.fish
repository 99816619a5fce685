# SPDX-License-Identifier: MIT
# fish completion for wsbridge(8)
complete -c wsbridge -f
complete -c wsbridge -s w -l web -r -a '(__fish_complete_directories)' -d 'Answer plain requests with the files in a directory'
complete -c wsbridge -l index -x -a 'index.html vnc.html' -d 'The file that stands for a directory'
complete -c wsbridge -l origin -x -a 'same any https://' -d 'Pages that may connect'
complete -c wsbridge -l log -x -a 'error warn info debug' -d 'The least important messages that are written'
complete -c wsbridge -s c -l config -r -F -d 'A configuration file or directory'
complete -c wsbridge -l inetd -d 'Serve descriptor 0'
complete -c wsbridge -s t -l check -d 'Check the configuration and exit'
complete -c wsbridge -s T -l print -d 'Print the effective configuration and exit'
complete -c wsbridge -l reload -x -a '(pgrep -x wsbridge)' -d 'Have a running one read its configuration again'
complete -c wsbridge -s V -l version -d 'Version; -VV: how it was built'
complete -c wsbridge -s h -l help -d 'One page of help'
complete -c wsbridge -l print-reference -d 'Print every option with its default'
complete -c wsbridge -l print-schema -d 'Print the JSON schema of the configuration'
complete -c wsbridge -l print-mdoc -d 'Print the options for the manual page'
complete -c wsbridge -n 'not string match -q -- "-*" (commandline -ct)' -a 'builtin:echo builtin:discard localhost: unix:'
