# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of chompy-probe(8) for bash; written from the tables of options and settings.
_chompy_probe() {
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} words=
  # bash takes an equals sign for a word of its own.
  if [[ $word == '=' ]]; then
    word=
  elif [[ $option == '=' ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  local settings='
    capture.interface=
    capture.promiscuous=
    capture.snap_len=
    capture.bpf_filter=
    capture.buffer_size_mb=
    capture.workers=
    capture.fanout_group=
    capture.fanout_mode=
    capture.defragment=
    capture.cpus=
    capture.timestamps=
    capture.lock_filter=
    decode.tunnels=
    decode.max_tunnel_depth=
    decode.fragment_cache_max=
    flow.max_flows=
    flow.unanswered_room=
    flow.vlan_key=
    tcp.rtt_side=
    tcp.retransmit_mode=
    tcp.ts_rtt=
    tcp.syn_cache_max=
    tcp.syn_ttl=
    tcp.dedup=
    tcp.dup_id_window=
    tcp.dup_window=
    tcp.reorder_default=
    tcp.timeout_silence=
    tcp.close_linger=
    export.collector_ip=
    export.collector_port=
    export.collectors=
    export.domain_id=
    export.template_id=
    export.template_interval=
    export.template_messages=
    export.active_timeout=
    export.inactive_timeout=
    export.interface_index=
    export.track_tcp_performance=
    export.fields=
    export.biflow=
    export.enterprise_number=
    export.mtu=
    export.queue_records=
    export.max_rate=
    metrics.listen=
    process.sandbox=
    process.user=
    log.level=
    log.statistics_interval=
  '
  case $option in
    -interface | --interface) words=$(cd /sys/class/net && echo *) ;;
    -read | --read) mapfile -t COMPREPLY < <(compgen -f -- "$word"); compopt -o filenames ;;
    -filter | --filter) : ;;
    -duration | --duration) : ;;
    -collector | --collector) : ;;
    -write-ipfix | --write-ipfix) mapfile -t COMPREPLY < <(compgen -f -- "$word"); compopt -o filenames ;;
    -output | --output) words='none table json' ;;
    -counters | --counters) mapfile -t COMPREPLY < <(compgen -f -- "$word"); compopt -o filenames ;;
    -config | --config) mapfile -t COMPREPLY < <(compgen -f -- "$word"); compopt -o filenames ;;
    -set | --set) words=$settings; compopt -o nospace ;;
    -instance | --instance) words=$(cd /sys/class/net && echo *) ;;
    -print-mapping | --print-mapping) words='goflow2 nfacctd nfacctd-conf libfds telegraf clickhouse clickhouse-proto' ;;
    capture.promiscuous) words='true false' ;;
    capture.workers) words='auto' ;;
    capture.fanout_group) words='auto' ;;
    capture.fanout_mode) words='auto hash steer cpu queue_mapping round_robin' ;;
    capture.defragment) words='true false' ;;
    capture.timestamps) words='software hardware' ;;
    capture.lock_filter) words='true false' ;;
    decode.tunnels) words='outer inner' ;;
    flow.vlan_key) words='true false' ;;
    tcp.rtt_side) words='destination source' ;;
    tcp.retransmit_mode) words='seed strict' ;;
    tcp.ts_rtt) words='true false' ;;
    tcp.dedup) words='true false' ;;
    export.track_tcp_performance) words='true false' ;;
    export.biflow) words='true false' ;;
    export.mtu) words='auto' ;;
    export.max_rate) words='auto' ;;
    process.sandbox) words='true false' ;;
    log.level) words='debug info warning error' ;;
    *)
      words='
        -interface
        --read
        --filter
        --duration
        -collector
        --write-ipfix
        --output
        --counters
        -config
        --set
        -debug
        --check-config
        --print-config
        --instance
        -list-interfaces
        --list-fields
        --print-mapping
        --version
        -help
      '
      # With two dashes, whatever the manual writes.
      [[ $word != --* ]] || words=$(for option in $words; do echo "--${option#"${option%%[!-]*}"}"; done)
      ;;
  esac
  [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
}
complete -F _chompy_probe chompy-probe
