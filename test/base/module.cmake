# SPDX-License-Identifier: Apache-2.0
whiteowl_test(base SOURCES wire_test.cpp time_test.cpp address_test.cpp nearest_test.cpp spsc_queue_test.cpp fd_test.cpp memory_test.cpp tag_index_test.cpp branchless_test.cpp hash_test.cpp mailbox_test.cpp doorbell_test.cpp text_test.cpp child_task_test.cpp LINK Threads::Threads)
