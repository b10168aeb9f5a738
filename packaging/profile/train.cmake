# SPDX-License-Identifier: Apache-2.0
# Writes the captures and trains on them.  Names are relative and the numbers fixed: two trainings count the same.
# Counts of an earlier training would be added to.
file(GLOB_RECURSE counts "${BUILD}/src/*.gcda")
if(counts)
  file(REMOVE ${counts})
endif()
set(folder "${BUILD}/profile")
file(MAKE_DIRECTORY "${folder}")

function(run)
  execute_process(COMMAND ${ARGN} WORKING_DIRECTORY "${folder}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run("${WORKLOAD}" few few.pcap --packets 400000)
run("${WORKLOAD}" many many.pcap --packets 400000 --flows 100000)
run("${WORKLOAD}" tcp tcp.pcap --packets 600000 --flows 20000)
run("${WORKLOAD}" imix imix.pcap --packets 400000 --flows 20000)
run("${WORKLOAD}" synflood synflood.pcap --packets 100000)
run("${TRAIN}")
file(REMOVE_RECURSE "${folder}")
