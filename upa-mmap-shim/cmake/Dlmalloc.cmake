# dlmalloc 2.8.6, fetched and unmodified, once on the kernel's mmap and twice on libupa: see include/upa/dlmalloc.h.

set(dlmalloc_source "${UPA_DEPS_DIR}/dlmalloc/malloc.c")
set(dlmalloc_fetch "${CMAKE_CURRENT_SOURCE_DIR}/cmake/fetch-dlmalloc.sh")
set(dlmalloc_redirect "${CMAKE_CURRENT_SOURCE_DIR}/malloc/dlmalloc-on-upa.h")

# Fetched when the build is configured: without it, what is built on it is left out, and nothing else. `./upa run` does
# without until it is asked for.
option(UPA_DLMALLOC "Fetch dlmalloc, and build the malloc libraries on it" ON)
if(NOT UPA_DLMALLOC)
  return()
endif()
if(NOT EXISTS "${dlmalloc_source}")
  message(STATUS "Fetching dlmalloc 2.8.6")
endif()
execute_process(COMMAND "${dlmalloc_fetch}" "${UPA_DEPS_DIR}/dlmalloc"
  RESULT_VARIABLE dlmalloc_missing ERROR_VARIABLE dlmalloc_said)
if(dlmalloc_missing)
  message(WARNING "dlmalloc, and malloc libraries built on it, are left out: ${dlmalloc_said}")
  return()
endif()

# Not held to our warnings and not sanitized, since it is not our code; but ThreadSanitizer must see its locks.
function(upa_dlmalloc name)
  add_library(${name} SHARED "${dlmalloc_source}")
  target_include_directories(${name} INTERFACE include)
  target_compile_definitions(${name} PRIVATE
    __wasilibc_unmodified_upstream USE_DL_PREFIX USE_LOCKS=1 HAVE_MORECORE=0 _GNU_SOURCE= ${ARGN})
  set_target_properties(${name} PROPERTIES C_VISIBILITY_PRESET default)
  target_link_libraries(${name} PRIVATE Threads::Threads)
  if("thread" IN_LIST UPA_SANITIZE)
    target_compile_options(${name} PRIVATE -fsanitize=thread)
  endif()
endfunction()

upa_dlmalloc(dlmalloc_kernel)
upa_dlmalloc(dlmalloc_upa MMAP_CLEARS=1)
upa_dlmalloc(dlmalloc_upa_uncleared MMAP_CLEARS=0)
foreach(name dlmalloc_upa dlmalloc_upa_uncleared)
  target_compile_options(${name} PRIVATE "SHELL:-include ${dlmalloc_redirect}")
  set_property(SOURCE "${dlmalloc_source}" APPEND PROPERTY OBJECT_DEPENDS "${dlmalloc_redirect}")
  target_link_libraries(${name} PRIVATE upa)
endforeach()

# libupa_malloc.so, for LD_PRELOAD: many heaps of the same dlmalloc behind malloc's own names, on whatever mmap() there
# is.
if(NOT UPA_SANITIZE)
  set(malloc_exports "${CMAKE_CURRENT_SOURCE_DIR}/malloc/exports.map")
  add_library(dlmalloc_spaces OBJECT "${dlmalloc_source}")
  target_include_directories(dlmalloc_spaces PRIVATE malloc)
  target_compile_definitions(dlmalloc_spaces PRIVATE __wasilibc_unmodified_upstream _GNU_SOURCE=)
  target_compile_options(dlmalloc_spaces PRIVATE "SHELL:-include ${CMAKE_CURRENT_SOURCE_DIR}/malloc/dlmalloc-spaces.h")
  set_target_properties(dlmalloc_spaces PROPERTIES POSITION_INDEPENDENT_CODE ON)
  add_library(upa_malloc SHARED malloc/family.c malloc/figures.c malloc/spaces.c lib/os/message.c
    preload/entry/symbols.c preload/upkeep/trim_threshold.c $<TARGET_OBJECTS:dlmalloc_spaces>)
  target_include_directories(upa_malloc PRIVATE include lib preload)
  # The compiler must not take our malloc for the one it knows all about.
  target_compile_options(upa_malloc PRIVATE -fno-builtin)
  target_link_libraries(upa_malloc PRIVATE upa_strict Threads::Threads)
  target_link_options(upa_malloc PRIVATE "-Wl,--version-script=${malloc_exports}" -Wl,-z,now)
  set_target_properties(upa_malloc PROPERTIES LINK_DEPENDS "${malloc_exports}")
endif()
