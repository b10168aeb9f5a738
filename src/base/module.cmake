# SPDX-License-Identifier: Apache-2.0
whiteowl_module(base SOURCES address.cpp child_task.cpp doorbell.cpp fd.cpp hash.cpp memory.cpp nearest.cpp text.cpp)
