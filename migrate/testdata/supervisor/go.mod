module example.org/supervisor

go 1.24
