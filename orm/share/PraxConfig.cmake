# PraxConfig.cmake - find_package(Prax): the target Prax::prax and the function prax_generate.
#
#   find_package(Prax REQUIRED)
#   add_executable(app main.c)
#   prax_generate(app SCHEMA schema.prax PREFIX app)
#
# prax_generate makes PREFIX.h, PREFIX.c, and a header and a source a model, from SCHEMA (a file or a
# folder, whose generator has that prefix) in the build folder whenever the schema has changed, compiles
# them into the target and links it with the library. Which models there are is asked when CMake
# configures, which it does again after a change of the schema.
get_filename_component(PRAX_PREFIX_DIR "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
find_program(PRAX_EXECUTABLE prax HINTS "${PRAX_PREFIX_DIR}/bin" REQUIRED)

if(NOT TARGET Prax::prax)
    find_library(PRAX_LIBRARY prax HINTS "${PRAX_PREFIX_DIR}/lib" REQUIRED)
    add_library(Prax::prax UNKNOWN IMPORTED)
    set_target_properties(Prax::prax PROPERTIES
        IMPORTED_LOCATION "${PRAX_LIBRARY}"
        INTERFACE_INCLUDE_DIRECTORIES "${PRAX_PREFIX_DIR}/include")
    if(PRAX_LIBRARY MATCHES "\\.a$") # the shared one names its libraries itself
        set_target_properties(Prax::prax PROPERTIES INTERFACE_LINK_LIBRARIES "sqlite3;pthread;m")
    endif()
endif()

function(prax_generate target)
    cmake_parse_arguments(arg "" "SCHEMA;PREFIX" "" ${ARGN})
    if(NOT arg_SCHEMA OR NOT arg_PREFIX)
        message(FATAL_ERROR "prax_generate(TARGET SCHEMA file PREFIX word)")
    endif()
    get_filename_component(schema "${arg_SCHEMA}" ABSOLUTE)
    if(IS_DIRECTORY "${schema}")
        file(GLOB sources CONFIGURE_DEPENDS "${schema}/*.prax")
        file(GLOB queries CONFIGURE_DEPENDS "${schema}/*.sql")
    else()
        get_filename_component(folder "${schema}" DIRECTORY)
        set(sources "${schema}")
        file(GLOB queries CONFIGURE_DEPENDS "${folder}/*.sql")
    endif()
    set(dir "${CMAKE_CURRENT_BINARY_DIR}/prax")
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${sources})
    execute_process(
        COMMAND "${PRAX_EXECUTABLE}" generate --files -o "${dir}" "${schema}"
        OUTPUT_VARIABLE files OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE status)
    if(NOT status EQUAL 0)
        message(FATAL_ERROR "prax_generate: ${arg_SCHEMA} has errors")
    endif()
    string(REPLACE "\n" ";" files "${files}")
    set(stamp "${dir}/${arg_PREFIX}.stamp")
    add_custom_command( # files that stay the same keep their time, and are not compiled again
        OUTPUT "${stamp}"
        BYPRODUCTS ${files}
        COMMAND "${PRAX_EXECUTABLE}" generate -q -o "${dir}" "${schema}"
        COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
        DEPENDS ${sources} ${queries} "${PRAX_EXECUTABLE}"
        COMMENT "prax generate ${arg_SCHEMA}"
        VERBATIM)
    target_sources(${target} PRIVATE "${stamp}" ${files})
    target_include_directories(${target} PRIVATE "${dir}")
    target_link_libraries(${target} PRIVATE Prax::prax)
endfunction()
