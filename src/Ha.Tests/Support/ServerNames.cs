extern alias server;

// Compiled into the server and the client package; tests that name it mean the server's.
global using HaHeaders = server::Ha.Http.HaHeaders;
