module consumer {
    requires upa.core;
}
